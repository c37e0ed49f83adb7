/** Clients of the services beside Flight, on grpc-js and proto/*.proto read independently of the product. */
import { readFileSync } from 'node:fs';
import { Client, type ClientDuplexStream, type ClientReadableStream, credentials } from '@grpc/grpc-js';
import protobuf from 'protobufjs';

const root = new protobuf.Root();
for (const file of ['health.proto', 'reflection.proto'])
  protobuf.parse(readFileSync(new URL(`../../proto/${file}`, import.meta.url), 'utf8'), root);
const HEALTH_REQUEST = root.lookupType('grpc.health.v1.HealthCheckRequest');
const HEALTH_RESPONSE = root.lookupType('grpc.health.v1.HealthCheckResponse');
const QUESTION = root.lookupType('grpc.reflection.v1.ServerReflectionRequest');
const ANSWER = root.lookupType('grpc.reflection.v1.ServerReflectionResponse');

export type Plain = Readonly<Record<string, unknown>>;

export class ServiceClient implements Disposable {
  readonly #client: Client;

  constructor(port: number) {
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  }

  /** `SERVING`, `NOT_SERVING`, …; rejects with grpc's ServiceError. */
  check(service: string = ''): Promise<string> {
    return new Promise((resolve, reject) => {
      const request = encoder(HEALTH_REQUEST);
      this.#client.makeUnaryRequest('/grpc.health.v1.Health/Check', request, statusOf, { service }, (error, answer) =>
        error === null && answer !== undefined ? resolve(answer) : reject(error),
      );
    });
  }

  watch(service: string = ''): ClientReadableStream<string> {
    return this.#client.makeServerStreamRequest('/grpc.health.v1.Health/Watch', encoder(HEALTH_REQUEST), statusOf, { service });
  }

  reflection(version: 'v1' | 'v1alpha'): ClientDuplexStream<Plain, Plain> {
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    return this.#client.makeBidiStreamRequest(path, encoder(QUESTION), decoder(ANSWER));
  }

  /** The answers to these questions, in order. */
  async reflect(version: 'v1' | 'v1alpha', questions: readonly Plain[]): Promise<Plain[]> {
    const call = this.reflection(version);
    for (const question of questions) call.write(question);
    call.end();
    const answers: Plain[] = [];
    for await (const answer of call) answers.push(answer as Plain);
    return answers;
  }

  /** Any bytes to any method. */
  raw(path: string, bytes: Uint8Array): Promise<Buffer> {
    const same = (buffer: Buffer): Buffer => buffer;
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(path, same, same, Buffer.from(bytes), (error, answer) =>
        error === null && answer !== undefined ? resolve(answer) : reject(error),
      );
    });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

function encoder(type: protobuf.Type): (value: Plain) => Buffer {
  return (value) => Buffer.from(type.encode(type.create(value)).finish());
}

function decoder(type: protobuf.Type): (bytes: Buffer) => Plain {
  return (bytes) => type.toObject(type.decode(bytes), { enums: String, arrays: true });
}

function statusOf(bytes: Buffer): string {
  return String(decoder(HEALTH_RESPONSE)(bytes)['status']);
}
