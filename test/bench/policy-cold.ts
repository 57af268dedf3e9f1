/** One decision in a new process. Prints the milliseconds until Cedar was loaded, and until the decision. */
import { FACTS } from '#test/functions/core/policy/facts.ts';
import { loadCedar } from '#aws/policy/cedar-module.ts';
import { now } from './figures.ts';
import { INPUT, workload } from './policy-workload.ts';

const policies = workload(Number(process.argv[2]));
const began = now();
await loadCedar();
const loaded = now();
const { decision } = await policies.decide(FACTS, INPUT);
if (decision !== 'allow') throw new Error(`decided ${decision}`);
console.log(JSON.stringify({ load: loaded - began, decision: now() - loaded }));
