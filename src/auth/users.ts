/** The local users of the moment, indexed once per list. */
import type { User } from '../model.ts';
import { type ClientCertificate, certificateNames } from './certificates.ts';

export interface Directory {
  find(name: string): User | undefined;
  /** The one user whose `certificate` is among the certificate's names. */
  ownerOf(certificate: ClientCertificate): User | undefined;
  passwordHashes(): readonly string[];
}

interface Index {
  readonly byName: ReadonlyMap<string, User>;
  readonly byCertificate: ReadonlyMap<string, User>;
  readonly passwordHashes: readonly string[];
}

/** `users` may answer another list at each call. */
export function createDirectory(users: () => readonly User[]): Directory {
  const indexes = new WeakMap<readonly User[], Index>();
  const current = (): Index => {
    const list = users();
    const index = indexes.get(list) ?? indexOf(list);
    indexes.set(list, index);
    return index;
  };
  return {
    find: (name) => current().byName.get(name),
    ownerOf: (certificate) => {
      const { byCertificate } = current();
      const owners = new Set(certificateNames(certificate).flatMap((name) => byCertificate.get(name) ?? []));
      const [owner] = owners;
      return owners.size === 1 ? owner : undefined;
    },
    passwordHashes: () => current().passwordHashes,
  };
}

function indexOf(users: readonly User[]): Index {
  const pinned = users.flatMap((user) => (user.certificate === undefined ? [] : [[user.certificate, user] as const]));
  return {
    byName: new Map(users.map((user) => [user.name, user])),
    byCertificate: new Map(pinned),
    passwordHashes: users.map((user) => user.passwordHash),
  };
}
