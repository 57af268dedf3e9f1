/** How the model sees `web_fetch`. Its schema is not published; the SDK's toolset runs in sandboxes and has no such tool. */
import type { ToolDefinition } from '#core/ports/model.ts';

export const WEB_FETCH: ToolDefinition = {
  name: 'web_fetch',
  description:
    'Fetch a URL over https with GET and return what it says: web pages as Markdown, text and JSON as they are, PDFs and images as such. It has no cookies and no credentials, and reaches public hosts only.',
  input_schema: {
    type: 'object',
    properties: { url: { type: 'string', description: 'Absolute https URL' } },
    required: ['url'],
  },
};
