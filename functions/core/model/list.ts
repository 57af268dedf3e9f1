/** The table of models as the API shows it. */
import type { ModelInfo, ModelPage, ModelsQuery } from '#contract/models.ts';
import { modelName, withoutPlace } from '#core/model/habits.ts';
import { MODELS } from '#core/model/model-table.ts';
import { refuse, type RequestRefusal } from '#core/ports/errors.ts';

const CATALOG = MODELS.map(({ info }) => info);

/** By id, by alias (the id without its date), and by what other providers call it. */
export function findModel(id: string): ModelInfo | null {
  const wanted = withoutPlace(id);
  return CATALOG.find((model) => model.id === wanted || modelName(model.id) === wanted) ?? null;
}

/** A cursor's model need not be among the lifecycles asked for: it only says where to go on. */
export function listModels({ limit, after_id, before_id, lifecycle }: ModelsQuery): ModelPage | RequestRefusal {
  const cursor = after_id ?? before_id;
  const at = cursor === undefined ? -1 : CATALOG.findIndex((model) => model.id === cursor);
  if (cursor !== undefined && at === -1) {
    const field = after_id === undefined ? 'before_id' : 'after_id';
    return refuse('invalid_request_error', `${field}: there is no such model`);
  }
  const beyond = before_id === undefined ? CATALOG.slice(at + 1) : CATALOG.slice(0, at);
  const found = beyond.filter((model) => lifecycle.includes(model.lifecycle));
  // Going back, the page is what directly precedes the cursor.
  const data = before_id === undefined ? found.slice(0, limit) : found.slice(-limit);
  return {
    data,
    has_more: found.length > data.length,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
  };
}
