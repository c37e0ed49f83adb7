/** What server reflection tells: the definitions of the public services, serialised as FileDescriptorProto. */
import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';

export interface DescriptorFile {
  readonly name: string;
  /** Serialised FileDescriptorProto. */
  readonly bytes: Uint8Array;
  readonly imports: readonly string[];
  /** Full names of its services. */
  readonly services: readonly string[];
  /** Full names of what it defines, services, methods, messages and enums alike. */
  readonly symbols: ReadonlySet<string>;
}

const TIMESTAMP = 'google/protobuf/timestamp.proto';

/** Reads the definitions; call once. */
export function describeServices(): readonly DescriptorFile[] {
  const reflection = source('reflection.proto');
  return [
    describeFile('Flight.proto', source('Flight.proto')),
    describeFile('grpc/health/v1/health.proto', source('health.proto')),
    describeFile('grpc/reflection/v1/reflection.proto', reflection),
    describeFile(
      'grpc/reflection/v1alpha/reflection.proto',
      reflection.replace('package grpc.reflection.v1;', 'package grpc.reflection.v1alpha;'),
    ),
    describeRoot(TIMESTAMP, timestampRoot(), []),
  ];
}

function source(file: string): string {
  return readFileSync(new URL(`../../proto/${file}`, import.meta.url), 'utf8');
}

function timestampRoot(): protobuf.Root {
  const root = new protobuf.Root();
  const definition = protobuf.common.get(TIMESTAMP);
  if (definition?.nested) root.addJSON(definition.nested);
  return root;
}

function describeFile(name: string, text: string): DescriptorFile {
  const imports = protobuf.parse(text, new protobuf.Root()).imports ?? [];
  const root = imports.includes(TIMESTAMP) ? timestampRoot() : new protobuf.Root();
  protobuf.parse(text, root, { keepCase: true });
  return describeRoot(name, root, imports);
}

/** The root holds the file's own package last, after what it imports. */
function describeRoot(name: string, root: protobuf.Root, imports: readonly string[]): DescriptorFile {
  root.resolveAll();
  const own = root.toDescriptor('proto3').file.at(-1);
  if (own === undefined) throw new Error(`${name} defines nothing`);
  const file = descriptor.FileDescriptorProto.create({ ...own, name, dependency: [...imports] });
  const within = root.lookup(own.package ?? '');
  const found = { services: [] as string[], symbols: new Set<string>() };
  if (within instanceof protobuf.Namespace) collect(within, found);
  return { name, bytes: descriptor.FileDescriptorProto.encode(file).finish(), imports, ...found };
}

function collect(within: protobuf.NamespaceBase, found: { readonly services: string[]; readonly symbols: Set<string> }): void {
  for (const part of within.nestedArray) {
    const fullName = part.fullName.slice(1);
    found.symbols.add(fullName);
    if (part instanceof protobuf.Service) {
      found.services.push(fullName);
      for (const method of part.methodsArray) found.symbols.add(`${fullName}.${method.name}`);
    }
    if (part instanceof protobuf.Type) collect(part, found);
  }
}
