import * as z from 'zod';
import { ModelInfo, ModelPage, ModelsQuery } from '#contract/models.ts';
import { findModel, listModels } from '#core/model/list.ts';
import { notFound, operation } from '../operation.ts';

const listAllModels = operation({
  route: 'GET /v1/models',
  summary: 'List models, newest first',
  query: ModelsQuery,
  response: ModelPage,
  handle: ({ query }) => Promise.resolve(listModels(query)),
});

const retrieveModel = operation({
  route: 'GET /v1/models/{model_id}',
  summary: 'Retrieve a model',
  params: z.object({ model_id: z.string() }),
  response: ModelInfo,
  handle: ({ params }) => Promise.resolve(findModel(params.model_id) ?? notFound('model_id')),
});

export const modelOperations = [listAllModels, retrieveModel];
