/** docs/configuration.md and docs/errors.md, generated from the tables that the code runs on. */
import { flagOf } from './config.ts';
import { ERRORS } from './errors.ts';
import { SETTINGS } from './settings.ts';

/** File name under docs/ → content. A test compares them with the committed files. */
export function generateDocumentation(): Readonly<Record<string, string>> {
  return { 'configuration.md': configurationDocument(), 'errors.md': errorsDocument() };
}

function configurationDocument(): string {
  const rows = Object.entries(SETTINGS).map(([name, { default: value, doc, secret }]) => {
    const shown = value === '' ? '' : `\`${value}\``;
    return `| \`${name}\` | \`${flagOf(name)}\` | ${shown} | ${doc}${secret === true ? ' Secret.' : ''} |`;
  });
  return `# Configuration

Generated from \`src/settings.ts\` by \`npm run docs\`. A flag wins over the environment. Wrong and unknown settings are all reported at once and
the process exits with status 1. Sizes take \`KB\`, \`MB\`, \`GB\` (powers of 1024); durations take \`ms\`, \`s\`, \`m\`, \`h\`.

| Variable | Flag | Default | Meaning |
|---|---|---|---|
${rows.join('\n')}
`;
}

function errorsDocument(): string {
  const rows = Object.entries(ERRORS).map(([code, { status, log, doc }]) => `| \`${code}\` | \`${status}\` | ${log} | ${doc} |`);
  return `# Errors

Generated from \`src/errors.ts\` by \`npm run docs\`. Every message is public: it carries no data value, hidden name, path or policy text. The audit log
holds the cause under the request id that each response carries.

| Code | gRPC status | Log level | Meaning |
|---|---|---|---|
${rows.join('\n')}
`;
}
