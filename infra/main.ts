/** The program that `cdk` and `npm start` run: it writes the cloud assembly. */
import { buildAhead } from './constructs/modules.ts';

// esbuild works in a process of its own while Node.js loads the CDK. Another provider of the model has another harness: the
// construct builds that one.
const ahead = process.env['CDK_CONTEXT_JSON']?.includes('model') === true ? null : buildAhead();
const [{ brainstemApp }, { OptionsError }] = await Promise.all([
  import('./app.ts'),
  import('./options/parse-options.ts'),
  ahead,
]);
try {
  brainstemApp().synth();
} catch (error) {
  if (!(error instanceof OptionsError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
