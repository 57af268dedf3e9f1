import { memoryLeases } from '#test/ports/refresh-leases.memory.ts';
import { refreshLeasesSuite } from '#test/ports/refresh-leases.suite.ts';

refreshLeasesSuite('in memory', memoryLeases);
