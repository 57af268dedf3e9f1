import { memoryPreviews } from '#test/ports/previews.memory.ts';
import { previewsSuite } from '#test/ports/previews.suite.ts';

previewsSuite('in memory', memoryPreviews);
