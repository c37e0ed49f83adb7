/** gRPC server reflection, for tools that learn the services from the server. The definitions are public, so nobody signs in. */
import { status } from '@grpc/grpc-js';
import { fail } from '../errors.ts';
import { orAbort } from '../waiting.ts';
import {
  type DescriptorFile,
  decodeReflectionRequest,
  describeServices,
  encodeReflectionAnswer,
  type ReflectionAnswer,
  type ReflectionQuestion,
} from '../wire/index.ts';
import type { Rpc, RpcHandler } from './rpc.ts';

/** A tool asks for some five files; an answer is a few KB for a few bytes, so strangers get no more than a tool needs. */
const QUESTIONS_PER_STREAM = 100;
const STREAMS_MAX = 64;
const PAUSE_MAX_MS = 30_000;

/** The handler of `ServerReflectionInfo`, for both versions of the service. */
export function createReflection(): RpcHandler {
  const files = describeServices();
  let open = 0;
  return async (rpc) => {
    if (open >= STREAMS_MAX) fail('limit.busy', `${STREAMS_MAX} reflection streams are open, the most there may be; try again later`);
    open++;
    try {
      await answerAll(rpc, files);
    } finally {
      open--;
    }
  };
}

async function answerAll(rpc: Rpc, files: readonly DescriptorFile[]): Promise<void> {
  const messages = rpc.messages()[Symbol.asyncIterator]();
  for (let asked = 0; ; asked++) {
    const patience = AbortSignal.any([rpc.signal, AbortSignal.timeout(PAUSE_MAX_MS)]);
    const { value: message, done } = await orAbort(messages.next(), patience).catch((error: unknown) => {
      throw rpc.signal.aborted ? error : fail('limit.idle', `no question came for ${PAUSE_MAX_MS / 1000} s`);
    });
    if (done === true) return;
    if (asked >= QUESTIONS_PER_STREAM)
      fail('limit.busy', `${QUESTIONS_PER_STREAM} questions are the most for one stream; open another one`);
    const question = decodeReflectionRequest(message);
    await rpc.send(encodeReflectionAnswer(question, answerTo(question, files)));
  }
}

function answerTo(question: ReflectionQuestion, files: readonly DescriptorFile[]): ReflectionAnswer {
  switch (question.kind) {
    case 'services':
      return { services: files.flatMap(({ services }) => services) };
    case 'file':
      return filesFrom(
        files.find(({ name }) => name === question.name),
        files,
      );
    case 'symbol':
      return filesFrom(
        files.find(({ symbols }) => symbols.has(question.name)),
        files,
      );
    case 'extensions':
      return { error: { code: status.NOT_FOUND, message: 'there are no extensions here' } };
    case 'unknown':
      return { error: { code: status.INVALID_ARGUMENT, message: 'the request asks for nothing' } };
  }
}

/** A file with what it imports, which no file here does over more than one step. */
function filesFrom(file: DescriptorFile | undefined, files: readonly DescriptorFile[]): ReflectionAnswer {
  if (file === undefined) return { error: { code: status.NOT_FOUND, message: 'there is no such definition here' } };
  const imported = files.filter(({ name }) => file.imports.includes(name));
  return { files: [file, ...imported].map(({ bytes }) => bytes) };
}
