/** Prints docs/options.md: `npm --silent run options > docs/options.md`. */
import { optionsPage } from './options-page.ts';

process.stdout.write(optionsPage());
