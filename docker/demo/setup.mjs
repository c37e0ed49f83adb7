/**
 * The one-shot jobs of compose.yaml, run inside the image. usage: node demo/setup.mjs data|policies
 * `data` puts the demo's files into the S3 store; `policies` makes the demo's policy set, over that store, the first revision.
 * Both are done when they find their work done.
 */
import { createReadStream } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { parse, stringify } from 'yaml';
import { hashPassword } from '#src/auth/index.js';
import { QUICKSTART_DIRECTORY, readConfig } from '#src/config.js';
import { ensureDemoData, flightsDirectory } from '#src/demo.js';
import { runTrustedScript } from '#src/engine/index.js';
import { createLogger } from '#src/log.js';
import { runPolicyCommand } from '#src/policy-cli.js';

const BUCKET = 'lake';
const REGION = 'us-east-1';
const ENDPOINT = process.env.S3_ENDPOINT ?? 'http://s3:7070';
const FLIGHTS = 'flights-3m.parquet';

const say = (line) => process.stdout.write(`${line}\n`);

async function putData() {
  const directory = join(readConfig([]).stateDirectory, 'demo');
  await ensureDemoData(directory, say);
  await copyProducts(directory);
  const client = new S3Client({ region: REGION, endpoint: ENDPOINT, forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET })).catch(unlessThere);
  const names = (await readdir(directory, { recursive: true })).filter((name) => name.endsWith('.parquet'));
  const files = [...names.map((name) => join(directory, name)), join(flightsDirectory(), FLIGHTS)];
  for (const file of files) {
    const key = file.startsWith(directory) ? `demo/${relative(directory, file)}` : `flights/${FLIGHTS}`;
    const { size } = await stat(file);
    await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: createReadStream(file), ContentLength: size }));
    say(`s3://${BUCKET}/${key}`);
  }
}

/** A DuckDB file is no object that a worker could read from afar. */
async function copyProducts(directory) {
  const path = (name) => `'${join(directory, name).replaceAll("'", "''")}'`;
  await runTrustedScript([
    `ATTACH ${path('products.duckdb')} AS shop (READ_ONLY)`,
    `COPY shop.main.products TO ${path('products.parquet')} (FORMAT parquet)`,
    'DETACH shop',
  ]);
}

function unlessThere(error) {
  if (!['BucketAlreadyOwnedByYou', 'BucketAlreadyExists'].includes(error.name)) throw error;
}

/** The quickstart's policies, unchanged, over the S3 store, with the password that .env says. */
async function pushPolicies() {
  const password = process.env.DEMO_PASSWORD;
  if (!password) throw new Error('DEMO_PASSWORD must be set: the password of the demo’s users');
  const directory = await mkdtemp(join(tmpdir(), 'policies-'));
  try {
    await cp(QUICKSTART_DIRECTORY, directory, { recursive: true });
    await edit(join(directory, 'catalog.yaml'), overS3);
    const hash = await hashPassword(password);
    await edit(join(directory, 'users.yaml'), ({ users }) => {
      for (const user of Object.values(users)) user.passwordHash = hash;
    });
    await runPolicyCommand(['push', directory, '--comment', 'demo'], { logger: createLogger('warn'), onProblems: report }, say);
  } catch (error) {
    if (error.code !== 'metadata.conflict') throw error;
    say('the shared set has revisions already; nothing is changed');
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function overS3(catalog) {
  const place = (prefix) => ({ kind: 's3', url: `s3://${BUCKET}/${prefix}/`, region: REGION, endpoint: ENDPOINT, pathStyle: true });
  catalog.connections = { lake: place('demo'), flights: place('flights') };
  const { connection, table, ...products } = catalog.datasets['demo.products'];
  catalog.datasets['demo.products'] = { ...products, connection: 'lake', parquet: 'products.parquet' };
}

async function edit(file, change) {
  const content = parse(await readFile(file, 'utf8'));
  change(content);
  await writeFile(file, stringify(content));
}

function report(problems) {
  for (const problem of problems) process.stderr.write(`policy: ${problem}\n`);
}

const JOBS = { data: putData, policies: pushPolicies };
const job = JOBS[process.argv[2] ?? ''];
if (job === undefined) throw new Error(`usage: node demo/setup.mjs ${Object.keys(JOBS).join('|')}`);
await job();
