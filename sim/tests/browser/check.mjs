// Opens a report in Chromium and does with it what its reader would. A line for each thing that is checked; exits with 1 if one is not as it
// should be. check.sh installs what this needs.
//
//     node check.mjs REPORT.html SCREENSHOT.png
//
// The screenshot in dark colours goes beside the other one. playwright-core is looked for from the current folder on; Chromium is $CHROMIUM, or
// Debian's.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const { chromium } = createRequire(resolve('from-here'))('playwright-core');
const [report, screenshot] = process.argv.slice(2);
if (!screenshot) {
  console.error('usage: node check.mjs REPORT.html SCREENSHOT.png');
  process.exit(2);
}

// What the page ought to show is read from the report itself.
const html = readFileSync(report, 'utf8');
const embedded = id => JSON.parse(new RegExp(`<script type="application/json" id="${id}">(.*?)</script>`, 's').exec(html)[1]);
const run = embedded('run');
const count = run.events.time_us.length;
const texts = Array.from({ length: Math.ceil(count / 1000) }, (_, chunk) => embedded(`details-${chunk}`)).flat();
const target = run.violation ?? run.first + count - 1;
const textOf = number => texts[number - run.first];

let passed = 0, failed = 0;
function check(what, isTrue, otherwise = '') {
  if (isTrue) passed += 1; else failed += 1;
  console.log(`${isTrue ? 'ok' : 'FAILED'}: ${what}${isTrue || otherwise === '' ? '' : `: ${otherwise}`}`);
}

const flags = '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update '
  + '--disable-sync';
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags.split(' ') });
const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, colorScheme: 'light' });
const url = pathToFileURL(resolve(report)).href, complaints = [], requests = [];
page.on('console', message => { if (['error', 'warning'].includes(message.type())) complaints.push(message.text()); });
page.on('pageerror', error => complaints.push(error.message));
page.on('request', request => { if (request.url().split('#')[0] !== url && !request.url().startsWith('data:')) requests.push(request.url()); });

const root = name => page.evaluate(name => document.documentElement.dataset[name], name);
const selected = async () => Number(await root('selected'));
const frame = () => page.evaluate(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))));
const picture = async id => { await frame(); return page.evaluate(id => document.getElementById(id).toDataURL(), id); };
const press = async key => { await page.keyboard.press(key); await frame(); };
/** Where in the window the selected event is drawn. */
async function selectedAt() {
  await frame();
  const [x, y] = (await page.locator('#diagram').getAttribute('data-selected-at')).split(' ').map(Number);
  const box = await page.locator('#diagram').boundingBox();
  return { x: box.x + x, y: box.y + y };
}

try {
  await opens();
  await tellsOfTheRun();
  await selects();
  await searches();
  await zooms();
  await showsAnotherWay();
  check('nothing is complained of in the console', complaints.length === 0, complaints.join('; '));
  check('nothing but the file is asked for', requests.length === 0, requests.join(' '));
} catch (error) {
  check('the page does what it is asked to', false, error.message);
} finally {
  await browser.close();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

async function opens() {
  await page.goto(url, { waitUntil: 'commit' });
  await page.waitForFunction(() => document.documentElement.dataset.ready, null, { timeout: 30_000 });
  const ready = Number(await root('ready'));
  check('the page is ready', ready > 0);
  // Machines are noisy: that it took longer is told, but is no failure.
  const size = `${count} events in ${(html.length / 1e6).toFixed(1)} MB`;
  console.log(`figure: first paint ${ready} ms, ${ready < 1000 ? 'under' : 'NOT under'} a second, ${size}`);
  await page.waitForLoadState('load');
  await frame();
  await page.screenshot({ path: screenshot });
}

async function tellsOfTheRun() {
  const head = await page.locator('body > header').innerText();
  check('the head has the title, the ending and the hash', [run.title, run.ending, run.hash].every(it => head.includes(it)), head);
  if (run.property) check('the head has the property', head.includes(run.property.name) && head.includes(run.property.definition), head);
  check('the plan is folded away', !await page.locator('#plan').isVisible());
  await page.getByRole('button', { name: 'Plan' }).click();
  check('the plan opens', (await page.locator('#plan').innerText()).trim() === run.plan.trim());
  await page.getByRole('button', { name: 'Plan' }).click();
  const blank = await page.evaluate(() => {
    const canvas = document.createElement('canvas'), overview = document.getElementById('overview');
    Object.assign(canvas, { width: overview.width, height: overview.height });
    return canvas.toDataURL();
  });
  check('the overview is drawn', await picture('overview') !== blank);
}

/** As a page shows it: one space for several. */
function plain(text) {
  return text.replace(/\s+/g, ' ');
}

async function selects() {
  if (run.violation !== null) check('the violation is selected', await selected() === run.violation, await root('selected'));
  else {
    check('nothing is selected where nothing was violated', await root('selected') === undefined);
    await page.evaluate(number => { location.hash = `#e${number}`; }, target);
    await frame();
  }
  const panel = page.locator('#event'), summary = textOf(target).split('\n')[0];
  const words = await panel.innerText();
  check('the panel has the event’s number and text', words.includes(`Event ${target}`) && plain(words).includes(plain(summary)), words);
  check('the address names the event', page.url().endsWith(`#e${target}`), page.url());

  // A click on an event that the keys came by, from a view in which both are seen.
  let before, place;
  for (let tries = 0; tries < 8; tries++) {
    const start = await selectedAt();
    await press('k');
    [before, place] = [await selected(), await selectedAt()];
    await press('j');
    if (JSON.stringify(await selectedAt()) === JSON.stringify(start)) break;
    await press('-');
  }
  check('k and j step to the event before and back', before < target && await selected() === target, `${before}, ${await selected()}`);
  await page.mouse.click(place.x, place.y);
  check('a click on an event selects it', await selected() === before, `${await selected()}, not ${before}`);

  const link = panel.locator('a').first(), number = Number((await link.getAttribute('href')).slice(2));
  await link.click();
  await frame();
  check('a link in the panel selects its event', await selected() === number, `${await selected()}, not ${number}`);
  await page.goBack();
  await frame();
  check('the browser’s back leads back', await selected() === before, `${await selected()}, not ${before}`);
  await press('Escape');
  check('Escape closes the panel', await root('selected') === undefined && !await panel.isVisible());
}

async function searches() {
  const query = textOf(target).split('\n')[0].slice(0, 30).trim(), found = page.locator('#found');
  const hits = texts.flatMap((text, at) => text.toLowerCase().includes(query.toLowerCase()) ? [run.first + at] : []);
  // Where a hit is selected, which one it is stands before their number.
  const tells = async wanted => {
    const isTold = wanted => document.getElementById('found').value.replace(/^.* of /, '') === wanted;
    return page.waitForFunction(isTold, wanted, { timeout: 20_000 }).then(() => true, () => false);
  };
  const words = `${hits.length.toLocaleString('en')} hit${hits.length === 1 ? '' : 's'}`;
  await press('/');
  await page.keyboard.type(query);
  check(`a search for “${query}” has its hits`, await tells(words), `${await found.innerText()}, not ${words}`);
  await press('Enter');
  await page.locator('#diagram').focus();
  const steps = [await selected()];
  for (const key of ['n', 'N']) { await press(key); steps.push(await selected()); }
  const isNext = steps[1] === (hits[hits.indexOf(steps[0]) + 1] ?? hits[0]);
  check('n and N step through the hits', hits.includes(steps[0]) && isNext && steps[2] === steps[0], steps.join());
  await page.locator('#query').fill('[');
  check('brackets are searched for as they are', await tells(`${texts.filter(text => text.includes('[')).length.toLocaleString('en')} hits`));
  await page.locator('#regex').click();
  check('what is no regular expression is said to be none', await tells('not a regex'));
  await page.locator('#query').fill(`#${run.first}`);
  await press('Enter');
  check('a search for a number goes to the event', await selected() === run.first, await root('selected'));
  await page.locator('#query').fill(`#${target}`);
  await press('Enter');
  await page.locator('#query').fill('');
  await page.locator('#diagram').focus();
}

async function zooms() {
  const place = await selectedAt(), pointer = place.x - 150;
  await page.mouse.move(pointer, place.y + 60);
  await page.mouse.wheel(0, -120);
  const nearer = await selectedAt();
  check('the wheel zooms at the pointer', nearer.x - pointer > 160, `${nearer.x - pointer} from 150`);
  await page.mouse.wheel(0, 120);
  check('the wheel zooms back', Math.abs((await selectedAt()).x - place.x) <= 2);
  await press('ArrowLeft');
  check('an arrow key pans', (await selectedAt()).x > place.x + 20);
  await press('ArrowRight');
  await page.mouse.move(pointer, place.y + 60);
  await page.mouse.down();
  await page.mouse.move(pointer + 40, place.y + 60, { steps: 4 });
  await page.mouse.up();
  const dragged = (await selectedAt()).x - place.x;
  check('a drag pans', Math.abs(dragged - 40) <= 2, `${dragged}, not 40`);
  const still = await picture('diagram');
  await press('+');
  const close = await picture('diagram');
  await press('-');
  check('+ and - zoom', close !== still && await picture('diagram') !== close);
  await press('0');
  const pace = await page.evaluate(async () => {
    const diagram = document.getElementById('diagram'), { left, top } = diagram.getBoundingClientRect(), frames = [];
    let last = await new Promise(requestAnimationFrame);
    for (let turn = 0; turn < 60; turn++) {
      const wheel = { deltaY: turn % 20 < 10 ? -30 : 30, clientX: left + 500, clientY: top + 100, bubbles: true, cancelable: true };
      diagram.dispatchEvent(new WheelEvent('wheel', wheel));
      const now = await new Promise(requestAnimationFrame);
      frames.push(now - last);
      last = now;
    }
    return frames.sort((a, b) => a - b)[30];
  });
  console.log(`figure: a frame takes ${pace.toFixed(1)} ms in the middle while the whole run is zoomed`);
  await press('v');
}

async function showsAnotherWay() {
  const order = await picture('diagram');
  await press('t');
  check('events are shown by time', await picture('diagram') !== order && await page.locator('#time').getAttribute('aria-pressed') === 'true');
  await press('t');
  if (run.cone.length > 0) {
    const coned = await picture('diagram');
    await press('c');
    check('the cone is turned off', await picture('diagram') !== coned || run.cone.length === count);
    await press('c');
  }
  await page.getByRole('button', { name: 'Keys' }).click();
  check('the keys are told', await page.getByRole('dialog').isVisible());
  await press('Escape');
  const luminance = () => page.evaluate(() => {
    const on = document.createElement('canvas').getContext('2d');
    on.drawImage(document.getElementById('diagram'), 0, 0);
    const [red, green, blue] = on.getImageData(2, 2, 1, 1).data;
    return (red + green + blue) / 3;
  });
  const light = await luminance();
  await page.emulateMedia({ colorScheme: 'dark' });
  await frame();
  const dark = await luminance(), background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  check('dark colours are drawn', light > 200 && dark < 60 && /^rgb\(\d\d, \d\d, \d\d\)$/.test(background), `${light}, ${dark}, ${background}`);
  await page.screenshot({ path: screenshot.replace(/(\.png)?$/, '-dark.png') });
}
