/** Messages of the services beside Flight: health checks and reflection. */
import { codec } from './protos.ts';

const healthRequest = codec('grpc.health.v1.HealthCheckRequest');
const healthResponse = codec('grpc.health.v1.HealthCheckResponse');
const reflectionRequest = codec('grpc.reflection.v1.ServerReflectionRequest');
const reflectionResponse = codec('grpc.reflection.v1.ServerReflectionResponse');

export type ServingStatus = 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';

const STATUS_NUMBERS: Readonly<Record<ServingStatus, number>> = { SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 };

/** The service asked about; empty = the server. */
export function decodeHealthRequest(bytes: Uint8Array): string {
  return healthRequest.decode(bytes).string('service');
}

export function encodeHealthResponse(status: ServingStatus): Uint8Array {
  return healthResponse.encode({ status: STATUS_NUMBERS[status] });
}

export type ReflectionQuestion =
  | { readonly kind: 'services' }
  | { readonly kind: 'file' | 'symbol'; readonly name: string }
  /** Proto2 extensions; there are none here. */
  | { readonly kind: 'extensions' }
  | { readonly kind: 'unknown' };

export function decodeReflectionRequest(bytes: Uint8Array): ReflectionQuestion {
  const fields = reflectionRequest.decode(bytes);
  const file = fields.optionalString('fileByFilename');
  if (file !== undefined) return { kind: 'file', name: file };
  const symbol = fields.optionalString('fileContainingSymbol');
  if (symbol !== undefined) return { kind: 'symbol', name: symbol };
  if (fields.optionalString('listServices') !== undefined) return { kind: 'services' };
  const extensions = fields.message('fileContainingExtension') ?? fields.optionalString('allExtensionNumbersOfType');
  return { kind: extensions === undefined ? 'unknown' : 'extensions' };
}

export type ReflectionAnswer =
  | { readonly services: readonly string[] }
  /** Serialised FileDescriptorProto. */
  | { readonly files: readonly Uint8Array[] }
  /** gRPC status number. */
  | { readonly error: { readonly code: number; readonly message: string } };

/** The question comes back in the answer, as clients match them by it. */
export function encodeReflectionAnswer(question: ReflectionQuestion, answer: ReflectionAnswer): Uint8Array {
  return reflectionResponse.encode({ originalRequest: requestOf(question), ...responseOf(answer) });
}

function requestOf(question: ReflectionQuestion): Readonly<Record<string, string>> {
  if (question.kind === 'file') return { fileByFilename: question.name };
  if (question.kind === 'symbol') return { fileContainingSymbol: question.name };
  return question.kind === 'services' ? { listServices: '*' } : {};
}

function responseOf(answer: ReflectionAnswer): Readonly<Record<string, unknown>> {
  if ('services' in answer) return { listServicesResponse: { service: answer.services.map((name) => ({ name })) } };
  if ('files' in answer) return { fileDescriptorResponse: { fileDescriptorProto: answer.files } };
  return { errorResponse: { errorCode: answer.error.code, errorMessage: answer.error.message } };
}
