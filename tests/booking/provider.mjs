// Certified OpenID Connect providers for the tests, several in one process: `node provider.mjs <folder with node_modules>`.
// Prints its port. `POST /` with {path, issuer, accounts, keys, config} makes one, or takes the place of one, whose
// issuer is the URL of this process with `issuer` at its end and whose endpoints are below `path`; `keys` is the key
// set that it publishes, if that is not its own.
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';

const { default: Provider } = await import(
  pathToFileURL(`${process.argv[2]}/node_modules/oidc-provider/lib/index.js`)
);
const providers = new Map();

function read(request) {
  return new Promise((done) => {
    let text = '';
    request.on('data', (piece) => { text += piece; });
    request.on('end', () => done(text));
  });
}

function make({ path, issuer, accounts, keys, config }) {
  const prefix = path.replace(/\/$/, '');
  const provider = new Provider(`http://127.0.0.1:${server.address().port}${issuer}`, {
    ...config,
    cookies: { keys: ['of these tests'] },
    claims: { openid: ['sub', 'sid'], profile: ['rpps'], email: ['email', 'email_verified'] },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, ...accounts[sub] }) }),
    interactions: { url: (_, interaction) => `${prefix}/interaction/${interaction.uid}` },
    // It refuses to call this machine otherwise, where the editors of the tests are.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    // Nobody is asked whether a client may know who they are.
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({
        clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId,
      });
      grant.addOIDCScope('openid profile email');
      await grant.save();
      return grant;
    },
    features: {
      devInteractions: { enabled: false },
      jwtUserinfo: { enabled: true },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true, logoutSource: (ctx, form) => { ctx.body = form; } },
      ...config.features,
    },
  });
  for (const event of ['server_error', 'backchannel.error', 'authorization.error', 'grant.error']) {
    provider.on(event, (...what) => console.error(event, what.find((one) => one instanceof Error)));
  }
  providers.set(prefix, { provider, answer: provider.callback(), keys });
  return provider.issuer;
}

async function interact(provider, request, response) {
  if (request.method === 'GET') {
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.end('<!doctype html><title>Provider</title><form method="post"><input name="login"><button>OK</button></form>');
    return;
  }
  const login = new URLSearchParams(await read(request)).get('login');
  const result = login ? { login: { accountId: login } } : { error: 'access_denied' };
  await provider.interactionFinished(request, response, result);
}

const server = createServer(async (request, response) => {
  if (request.method === 'POST' && request.url === '/') {
    response.end(make(JSON.parse(await read(request))));
    return;
  }
  const prefix = [...providers.keys()].sort((a, b) => b.length - a.length).find((one) => request.url.startsWith(`${one}/`));
  if (prefix === undefined) {
    response.statusCode = 404;
    response.end();
    return;
  }
  const { provider, answer, keys } = providers.get(prefix);
  request.originalUrl = request.url;
  request.url = request.url.slice(prefix.length);
  if (request.url.startsWith('/interaction/')) {
    request.url = request.originalUrl;
    await interact(provider, request, response);
  } else if (request.url === '/jwks' && keys) {
    response.setHeader('Content-Type', 'application/jwk-set+json');
    response.end(JSON.stringify(keys));
  } else {
    answer(request, response);
  }
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
