/**
 * The filter of system calls of a sandbox: what container runtimes, and so Fargate, refuse by default too. New
 * namespaces would give a program capabilities, and keys of the kernel would be read by other sandboxes of the same user.
 */
import { constants } from 'node:os';

interface Machine {
  /** The kernel's name of the processor in `seccomp_data`. */
  readonly architecture: number;
  readonly refused: readonly number[];
  readonly unshare: number;
  readonly clone: number;
}

/** add_key, request_key, keyctl, setns, bpf, perf_event_open, userfaultfd, io_uring_setup, in this order. */
const MACHINES: Readonly<Record<string, Machine>> = {
  x64: { architecture: 0xc000003e, refused: [248, 249, 250, 308, 321, 298, 323, 425], unshare: 272, clone: 56 },
  arm64: { architecture: 0xc00000b7, refused: [217, 218, 219, 268, 280, 241, 282, 425], unshare: 97, clone: 220 },
};
/** Has one number on all processors. Its flags are in memory, where a filter cannot read them; programs then use `clone`. */
const CLONE3 = 435;
const CLONE_NEWUSER = 0x10000000;
/** Calls of another kind of programs begin here on x64. */
const X32 = 0x40000000;

const [LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN] = [0x20, 0x15, 0x35, 0x45, 0x06];
const [NUMBER, ARCHITECTURE, FIRST_ARGUMENT] = [0, 4, 16];
const fail = (errno: number): number => 0x00050000 | errno;

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];
const ALLOWED: Instruction = [RETURN, 0, 0, 0x7fff0000];

/** @returns the program as the kernel reads it; on a processor that is not in the table, it allows everything */
export function systemCallFilter(processor: string = process.arch): Buffer {
  const machine = MACHINES[processor];
  return Buffer.concat((machine === undefined ? [ALLOWED] : filterFor(machine)).map(bytesOf));
}

function filterFor(machine: Machine): readonly Instruction[] {
  const { EPERM, ENOSYS } = constants.errno;
  const refuse: Instruction = [RETURN, 0, 0, fail(EPERM)];
  return [
    [LOAD, 0, 0, ARCHITECTURE],
    [EQUAL, 1, 0, machine.architecture],
    refuse,
    [LOAD, 0, 0, NUMBER],
    [AT_LEAST, 0, 1, X32],
    refuse,
    [EQUAL, 0, 1, CLONE3],
    [RETURN, 0, 0, fail(ENOSYS)],
    ...machine.refused.flatMap((call): Instruction[] => [[EQUAL, 0, 1, call], refuse]),
    [EQUAL, 1, 0, machine.unshare],
    [EQUAL, 0, 3, machine.clone],
    [LOAD, 0, 0, FIRST_ARGUMENT],
    [ANY_BIT, 0, 1, CLONE_NEWUSER],
    refuse,
    ALLOWED,
  ];
}

function bytesOf([code, ifTrue, ifFalse, value]: Instruction): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt8(ifTrue, 2);
  bytes.writeUInt8(ifFalse, 3);
  bytes.writeUInt32LE(value >>> 0, 4);
  return bytes;
}
