import * as fs from 'node:fs';
import * as path from 'node:path';
import { fleet } from './fleet';
import { health } from './health';
import { runs } from './runs';

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: main.js FOLDER');
  process.exit(2);
}
fs.mkdirSync(folder, { recursive: true });
for (const [name, dashboard] of Object.entries({ fleet: fleet(), runs: runs(), health: health() })) {
  fs.writeFileSync(path.join(folder, `${name}.json`), `${JSON.stringify(dashboard, null, 2)}\n`);
}
