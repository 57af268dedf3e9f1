/**
 * The program that the conformance runner starts for each scenario, with the URL of its server. The test's process plays
 * the scenario, because the client takes longer to load than a scenario takes.
 */
const response = await fetch(process.env['CONFORMANCE_TEST'] ?? '', {
  method: 'POST',
  body: JSON.stringify({
    url: process.argv.at(-1),
    context: JSON.parse(process.env['MCP_CONFORMANCE_CONTEXT'] ?? '{}') as unknown,
  }),
});
if (!response.ok) throw new Error(await response.text());
