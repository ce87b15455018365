// The provider's pages in a real browser, by keyboard alone: `pages.mjs ISSUER CHROMIUM SCREENSHOTS NAME PASSWORD LOOK`,
// where LOOK is one of the looks below.
//
// Each page is judged by axe-core, must fit its window, and is kept as a picture in the folder SCREENSHOTS. What was
// looked at leaves as {"passed": name} or {"failed": name, "why": text}, a line each.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';

import { chromium } from 'playwright-core';

const [issuer, executablePath, screenshots, user, password, look] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
const desktop = { viewport: { width: 1280, height: 800 } };
const phone = { viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
const looks = {
  'light, desktop': { ...desktop, colorScheme: 'light' },
  'dark, desktop': { ...desktop, colorScheme: 'dark' },
  'light, phone': { ...phone, colorScheme: 'light' },
  'dark, phone': { ...phone, colorScheme: 'dark' },
};

const say = (value) => console.log(JSON.stringify(value));

// Where the browser goes back to.
const back = http.createServer((_, answer) => answer.end('back')).listen(0, '127.0.0.1');
await new Promise((resolve) => { back.once('listening', resolve); });
const redirect = `http://127.0.0.1:${back.address().port}/callback`;

const post = async (path, body) => (await fetch(`${issuer}${path}`, { method: 'POST', body })).json();
const client = async (name) => {
  const metadata = {
    client_name: name,
    client_uri: 'https://client.example/',
    redirect_uris: [redirect],
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token', DEVICE],
  };
  const body = JSON.stringify(metadata);
  const headers = { 'content-type': 'application/json' };
  return (await (await fetch(`${issuer}/register`, { method: 'POST', headers, body })).json()).client_id;
};
const ask = (id) => `${issuer}/authorize?${new URLSearchParams({
  client_id: id,
  response_type: 'code',
  redirect_uri: redirect,
  scope: 'notes:read notes:write notes:delete',
  state: 'xyz',
  code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
  code_challenge_method: 'S256',
})}`;

class Keyboard {
  constructor(page) {
    this.page = page;
  }

  // Goes on by the tabulator until something has the focus that the selector names, and shows it.
  async reach(selector) {
    for (let step = 0; step < 40; step += 1) {
      await this.page.keyboard.press('Tab');
      const found = await this.page.evaluate((wanted) => {
        const own = document.activeElement;
        if (!own || own === document.body) return undefined;
        const { outlineStyle, outlineWidth } = getComputedStyle(own);
        return { there: own.matches(wanted), shown: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 };
      }, selector);
      if (found) assert.ok(found.shown, `no focus to be seen on the way to ${selector}`);
      if (found?.there) return;
    }
    assert.fail(`${selector} cannot be reached by keyboard`);
  }

  async type(selector, text) {
    await this.reach(selector);
    await this.page.keyboard.press('Control+A');
    await this.page.keyboard.type(text);
  }

  // Presses a key that leads to another page.
  async follow(key) {
    const moved = this.page.waitForNavigation({ waitUntil: 'load' });
    await this.page.keyboard.press(key);
    await moved;
  }

  async press(selector, key = 'Enter') {
    await this.reach(selector);
    await this.follow(key);
  }

  async signIn(secret) {
    await this.type('#username', user);
    await this.type('#password', secret);
    await this.follow('Enter');
  }
}

// Judges the page that is shown; `title` is its heading.
async function judge(page, name, title) {
  const what = `${name} (${look})`;
  try {
    await page.screenshot({ path: `${screenshots}/${name}, ${look}.png`.replaceAll(', ', '-').replaceAll(' ', '-'), fullPage: true });
    assert.equal(await page.locator('h1').innerText(), title);
    assert.equal(await page.title(), title);
    const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(wide <= window, `the page is ${wide} wide in a window of ${window}`);
    await page.evaluate(axe);
    const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
    assert.ok(passes.length > 10, 'axe-core has looked at it');
    const words = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(' ')}`);
    assert.deepEqual(words, []);
    say({ passed: what });
  } catch (problem) {
    say({ failed: what, why: problem.message });
  }
}

async function walk(page) {
  const keys = new Keyboard(page);
  const see = (name, title) => judge(page, name, title);
  const id = await client('A very long name of a client that somebody calls the Best Notebook');

  await page.goto(ask(id));
  await see('sign in', 'Sign in');
  await keys.signIn('wrong');
  await see('sign in, wrong password', 'Sign in');
  assert.match(await page.locator('[role=alert]').innerText(), /wrong/);
  await keys.signIn(password);
  await see('consent', 'Allow access?');
  await keys.reach('input[value="notes:delete"]');
  await page.keyboard.press('Space');
  await keys.press('button[value=allow]');
  const came = new URL(page.url());
  assert.equal(came.searchParams.get('iss'), issuer);
  const tokens = await post('/token', new URLSearchParams({
    grant_type: 'authorization_code',
    client_id: id,
    code: came.searchParams.get('code'),
    redirect_uri: redirect,
    code_verifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
  }));
  assert.equal(tokens.scope, 'notes:read notes:write', 'what was left unchecked is not granted');
  await page.goto(ask(id));
  await keys.press('button[value=deny]', 'Space');
  assert.equal(new URL(page.url()).searchParams.get('error'), 'access_denied');

  for (const [button, name, title] of [['allow', 'device done', 'Done'], ['deny', 'device refused', 'Not connected']]) {
    const device = await post('/device_authorization', new URLSearchParams({ client_id: id, scope: 'notes:read' }));
    await page.goto(device.verification_uri);
    if (button === 'allow') {
      await see('device', 'Connect a device');
      await keys.type('#user_code', 'BCDF-GHJK');
      await keys.follow('Enter');
      await see('device, wrong code', 'Connect a device');
    }
    await keys.type('#user_code', device.user_code);
    await keys.follow('Enter');
    await see('device consent', 'Allow access?');
    await keys.press(`button[value=${button}]`);
    await see(name, title);
  }

  await page.goto(`${issuer}/account`);
  await see('account', 'What you have allowed');
  const grants = await page.locator('button[name=revoke]').count();
  assert.ok(grants > 0, 'there is something to take back');
  await keys.press('button[name=revoke]');
  assert.equal(await page.locator('button[name=revoke]').count(), grants - 1);
  while (await page.locator('button[name=revoke]').count() > 0) await keys.press('button[name=revoke]');
  await see('account, empty', 'What you have allowed');
  await keys.press('form[action$="/sign-out"] button');
  await see('account, signed out', 'Sign in');
  await keys.signIn(password);
  await see('account, signed in again', 'What you have allowed');

  await page.goto(`${issuer}/device`);
  let tries = 0;
  while (!/too many/.test(await page.locator('body').innerText())) {
    assert.ok((tries += 1) < 20, 'tries are bounded');
    await keys.type('#user_code', 'BCDF-GHJK');
    await keys.follow('Enter');
  }
  await see('device, too many codes', 'Connect a device');

  await page.goto(`${issuer}/authorize?client_id=nobody&redirect_uri=https%3A%2F%2Fevil.example`);
  await see('error', 'This does not work');
}

const sandbox = process.getuid() === 0 ? ['--no-sandbox'] : [];
const browser = await chromium.launch({ executablePath, args: sandbox });
const page = await (await browser.newContext(looks[look])).newPage();
page.setDefaultTimeout(10_000);
const name = `the whole flow by keyboard (${look})`;
try {
  await walk(page);
  say({ passed: name });
} catch (problem) {
  say({ failed: name, why: `${problem.stack}\nat ${page.url()}: ${await page.locator('body').innerText()}` });
}
await browser.close();
process.exit();
