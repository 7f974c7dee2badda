// SPDX-License-Identifier: MIT
// Run the Khronos glTF validator on the files named and print one JSON report a file, a line each:
// {"file", "errors", "warnings", "infos", "hints", "messages": [{code, severity, message, pointer}]}
// Exit 0 when all could be read, whatever the reports say; 2 when not.
import { readFile } from 'node:fs/promises';
import validator from 'gltf-validator';

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error('usage: node validate_glb.mjs FILE.glb...');
  process.exit(2);
}
for (const file of files) {
  try {
    const bytes = new Uint8Array(await readFile(file));
    const report = await validator.validateBytes(bytes, { uri: file, format: 'glb', maxIssues: 100 });
    const { numErrors, numWarnings, numInfos, numHints, messages } = report.issues;
    console.log(JSON.stringify({
      file, errors: numErrors, warnings: numWarnings, infos: numInfos, hints: numHints, messages,
    }));
  } catch (error) {
    console.error(`${file}: ${error.message ?? error}`);
    process.exitCode = 2;
  }
}
