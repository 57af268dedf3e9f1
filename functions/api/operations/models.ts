import * as z from 'zod';
import { ModelInfo, ModelPage, ModelsQuery } from '#contract/models.ts';
import { NoQuery } from '#contract/queries.ts';
import { findModel, listModels } from '#core/model/list.ts';
import { notFound, operation } from '../operation.ts';
import { NoBody, NoParams } from './nothing.ts';

const listAllModels = operation({
  method: 'GET',
  path: '/v1/models',
  summary: 'List models, newest first',
  params: NoParams,
  query: ModelsQuery,
  body: NoBody,
  response: ModelPage,
  handle: ({ query }) => Promise.resolve(listModels(query)),
});

const retrieveModel = operation({
  method: 'GET',
  path: '/v1/models/{model_id}',
  summary: 'Retrieve a model',
  params: z.object({ model_id: z.string() }),
  query: NoQuery,
  body: NoBody,
  response: ModelInfo,
  handle: ({ params }) => Promise.resolve(findModel(params.model_id) ?? notFound('model_id')),
});

export const modelOperations = [listAllModels, retrieveModel];
