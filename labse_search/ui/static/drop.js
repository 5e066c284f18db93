// @ts-check
// Files and folders in, with their structure: copied to the app one by one, then looked at before any work begins.
// Events to Python: 'stage' {files: [{upload, name, size}], failed}, 'check_path' {place}, 'start' {token}, 'discard' {token}, 'watch' {place, token}.
const { el, t, button, bytes, duration } = labse;
const root = element.querySelector('.add');
const LANES = 3, BATCH_FILES = 40, BATCH_BYTES = 16e6; // one request a file took 26 ms each, a batch of 40 little more
let sending = false, staging = false; // while files travel, and until their plan is there: what is dropped meanwhile waits
let copied = [], lost = 0; // files that the app has and has not looked at yet, and how many did not arrive
let checked = ''; // the path that the app was asked to look at

const hidden = name => name.split('/').some(part => part.startsWith('.') || part === '__MACOSX');

// What the app calls the files, in their order; null if the request failed. Their bytes follow one another in the body.
const sendBatch = async batch => {
  const address = new URL('upload', document.baseURI);
  address.searchParams.set('sizes', batch.map(([file]) => file.size).join(','));
  try {
    const answer = await fetch(address, { method: 'POST', body: new Blob(batch.map(([file]) => file)) });
    return answer.ok ? await answer.json() : null;
  } catch (error) { return null; } // one that changed meanwhile can't be read
};

const send = async list => {
  list = list.filter(([, name]) => !hidden(name));
  if (!list.length) return;
  if (sending || staging) { labse.dropped.push(list); return; }
  lost += list.filter(([file]) => !file).length;
  list = list.filter(([file]) => file);
  if (!list.length) { stage(); return; }
  const limits = props.value?.limits || {};
  if (list.length > limits.files) { complain(t('too_many', { n: limits.files })); return; }
  const total = list.reduce((sum, [file]) => sum + file.size, 0);
  if (total > limits.bytes) { complain(t('too_much', { size: bytes(limits.bytes) })); return; }
  sending = true;
  const all = list.length;
  let done = 0;
  const zone = root.querySelector('.drop'), line = root.querySelector('.drop-status'), bar = root.querySelector('.drop progress');
  zone.dataset.busy = '1';
  bar.hidden = false; bar.max = all;
  const advance = n => { done += n; bar.value = done; line.textContent = t('uploading', { done, total: all }); };
  /** @type {[File, string][][]} */
  const batches = [];
  let full = 0; // bytes of the last batch
  for (const one of list) {
    const [file, name] = one, last = batches[batches.length - 1];
    if (file.size > limits.file_bytes) { copied.push({ name, size: file.size }); advance(1); continue; }
    if (last && last.length < BATCH_FILES && full + file.size <= Math.min(BATCH_BYTES, limits.file_bytes)) { last.push(one); full += file.size; }
    else { batches.push([one]); full = file.size; }
  }
  const lane = async () => {
    for (let batch; (batch = batches.shift());) {
      // A batch that fails for one file is sent again file by file, so that only that one is lost.
      const names = await sendBatch(batch) || (batch.length > 1 ? await Promise.all(batch.map(async one => (await sendBatch([one]))?.[0])) : [null]);
      batch.forEach(([file, name], i) => names[i] ? copied.push({ upload: names[i], name, size: file.size }) : lost++);
      advance(batch.length);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  sending = false;
  stage();
};
/** @type {(words: string, wrong: boolean, again?: () => void) => void} */
const status = (words, wrong, again) => {
  const line = root.querySelector('.drop-status');
  line.textContent = words;
  line.classList.toggle('wrong', wrong);
  if (again) line.append(' ', button('link again', t('retry'), again));
};
/** @type {(words: string, again?: () => void) => void} */
const complain = (words, again) => status(words, true, again);
const stage = () => {
  staging = true;
  status(t('checking'), false);
  trigger('stage', { files: copied, failed: lost, token: props.value?.plan?.token });
};
const check = place => {
  checked = place;
  status(t('checking'), false);
  trigger('check_path', { place, token: props.value?.plan?.token });
};
// What was copied stays with the app for hours, so that it need not be dropped again.
const onFailed = event => {
  const place = checked;
  if (staging && 'failed' in event.detail) {
    staging = false;
    delete root.querySelector('.drop').dataset.busy;
    root.querySelector('.drop progress').hidden = true;
    complain(t('ask_failed'), stage);
  } else if (place && event.detail.place === place) { checked = ''; complain(t('ask_failed'), () => check(place)); }
};

const picker = (label, folder) => {
  const input = el('input', 'visually-hidden', null, { type: 'file', multiple: '', webkitdirectory: folder ? '' : null });
  if (folder) input.classList.add('pick-folder'); else input.classList.add('pick-files');
  input.addEventListener('change', () => { send([...input.files || []].map(file => [file, file.webkitRelativePath || file.name])); input.value = ''; });
  return el('label', 'secondary', label, {}, input);
};
const zone = value => {
  const node = el('div', 'drop');
  node.append(el('p', 'drop-title', t('drop')), el('div', 'buttons', null, {}, picker(t('choose_files'), false), picker(t('choose_folder'), true)),
    el('p', 'formats', t('formats')), el('p', 'formats', t('limits', { mb: value.limits.mb, files: t('files', { n: value.limits.files }) })));
  const bar = el('progress'); bar.hidden = true;
  node.append(bar, el('p', 'drop-status', '', { role: 'status' }));
  return node;
};
const pathForm = () => {
  const input = el('input', null, null, { type: 'text', id: 'labse-path', placeholder: t('path_placeholder'), dir: 'ltr', spellcheck: 'false', autocomplete: 'off' });
  const go = button('secondary', t('path_check'), () => { if (input.value.trim()) check(input.value.trim()); });
  input.addEventListener('keydown', event => { if (event.key === 'Enter' && !event.isComposing) go.click(); });
  return el('div', 'path', null, {}, el('label', null, t('path_label'), { for: 'labse-path' }), el('div', 'path-row', null, {}, input, go));
};

const preflight = value => {
  const plan = value.plan;
  const box = el('section', 'plan', null, { 'aria-labelledby': 'labse-plan' });
  box.append(el('h2', null, t(plan.new ? 'preflight' : 'nothing_to_do'), { id: 'labse-plan' }));
  const rows = el('tbody');
  for (const kind of plan.kinds) rows.append(el('tr', kind.supported ? null : 'unsupported', null, {}, el('th', null, kind.kind || '—', { scope: 'row' }),
    el('td', 'number', t('files', { n: kind.files })), el('td', 'number', bytes(kind.bytes))));
  if (plan.kinds.length) box.append(el('table', null, null, {},
    el('thead', null, null, {}, el('tr', null, null, {}, el('th', null, t('type'), { scope: 'col' }), el('th', 'number', t('count'), { scope: 'col' }), el('th', 'number', t('size'), { scope: 'col' }))),
    rows, el('tfoot', null, null, {}, el('tr', null, null, {}, el('td'), el('td', 'number', t('files', { n: plan.files })), el('td', 'number', bytes(plan.bytes))))));
  const notes = el('ul', 'plan-notes');
  const names = list => list.length ? el('bdi', 'names', ' ' + list.join(', ') + (list.length >= 5 ? ' …' : '')) : null;
  for (const key of ['already', 'unsupported', 'too_large', 'refused']) {
    const some = plan[key];
    if (some.n) notes.append(el('li', key, t(key, { n: some.n, mb: value.limits.mb }), {}, names(some.names)));
  }
  if (plan.failed) notes.append(el('li', 'refused', t('upload_failed', { n: plan.failed })));
  if (plan.new) notes.append(el('li', null, plan.seconds ? t('estimate', { time: duration(plan.seconds), passages: t('passages', { n: plan.passages }), n: Math.max(1, Math.round(plan.rate)) }) : t('no_estimate')));
  box.append(notes);
  const start = button('primary start', t('start'), () => { labse.hold(start); trigger('start', { token: plan.token }); });
  const keep = plan.folder ? button('secondary watch', t('watch_start'), event => { labse.hold(event.target); trigger('watch', { place: plan.folder, token: plan.token }); }) : null;
  if (keep) notes.append(el('li', 'here', t('watch_note')));
  notes.append(el('li', 'elsewhere', t('plan_for', { name: plan.collection })));
  box.append(el('div', 'buttons', null, {}, plan.new ? start : null, keep, button('secondary', t('discard'), () => trigger('discard', { token: plan.token }))));
  return box;
};

// The plan stays when another collection is opened: it says then which one its files go into, and a folder that is to be
// kept in step waits until that one is open.
let collection = '';
const place = () => {
  const plan = props.value?.plan, here = !plan || !collection || plan.collection === collection;
  root.querySelectorAll('.plan .elsewhere').forEach(node => { node.hidden = here; });
  root.querySelectorAll('.plan .here, .plan .watch').forEach(node => { node.hidden = !here; });
};
const draw = () => {
  const value = props.value;
  if (!value?.limits || sending) return;
  /** @type {HTMLElement[]} */
  const nodes = [zone(value)];
  if (value.local) nodes.push(pathForm());
  if (value.message) nodes.push(el('p', 'notice error', value.message, { role: 'alert' }));
  if (value.plan) nodes.push(preflight(value));
  root.replaceChildren(...nodes);
  place();
  root.querySelector('.start')?.focus();
  if (copied.length) complain(t('ask_failed'), stage);
  if (labse.dropped.length) send(labse.dropped.shift());
};
watch('value', () => {
  if (staging) { copied = []; lost = 0; }
  staging = false; checked = '';
  draw();
});
draw();
if (labse.dropOff) labse.dropOff();
const onDropped = () => { if (!sending && !staging && labse.dropped.length) send(labse.dropped.shift()); };
const onStatus = event => { collection = event.detail.collection; place(); };
window.addEventListener('labse-dropped', onDropped);
window.addEventListener('labse-status', onStatus);
window.addEventListener('labse-failed', onFailed);
labse.dropOff = () => { window.removeEventListener('labse-failed', onFailed); window.removeEventListener('labse-dropped', onDropped); window.removeEventListener('labse-status', onStatus); };
