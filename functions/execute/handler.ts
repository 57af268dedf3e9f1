/**
 * Execute: one tool call in the sandbox of a hand; the result goes to the log, not to the state machine. It
 * also takes over what programs wrote since the last call: before a turn ends, and for the sweep before a sandbox does.
 */
import * as z from 'zod';
import {
  ExecuteInput,
  HarvestInput,
  SANDBOX_LOST,
  SANDBOX_NOT_READY,
  TurnHarvestInput,
  WAY_OUT_NOT_READY,
} from '#contract/run.ts';
import { execute } from '#core/hands/execute.ts';
import { harvestIdle, harvestTurn } from '#core/hands/harvest.ts';
import { executeWorld } from '#aws/worlds/execute.ts';

const Input = z.union([HarvestInput, TurnHarvestInput, ExecuteInput]);

const world = executeWorld(process.env);

type ErrorName = typeof SANDBOX_LOST | typeof SANDBOX_NOT_READY | typeof WAY_OUT_NOT_READY;

/** The state machine knows it by its name, and invokes `provision`. */
class ForProvision extends Error {
  override readonly name: ErrorName;

  constructor(name: ErrorName) {
    super(name);
    this.name = name;
  }
}

export async function handler(event: unknown): Promise<void> {
  try {
    const input = Input.parse(event);
    if ('since' in input) return await harvestTurn(world, input);
    if ('harvest' in input) return await harvestIdle(world, input);
    const executed = await execute(world, input);
    if (executed === 'sandbox not ready') throw new ForProvision(SANDBOX_NOT_READY);
    if (executed === 'way out not ready') throw new ForProvision(WAY_OUT_NOT_READY);
    if (executed === 'sandbox lost') throw new ForProvision(SANDBOX_LOST);
  } finally {
    world.journal.flush();
  }
}
