// Files and folders in, with their structure: copied to the app one by one, then looked at before any work begins.
// Events to Python: 'stage' {files: [{path, name, size}], failed}, 'check_path' {place} (Gradio itself refuses any `path` outside its upload folder), 'start' {token}, 'discard' {token}.
const { el, t, button, bytes, duration } = labse;
const root = element.querySelector('.add');
const LANES = 3, BATCH_FILES = 40, BATCH_BYTES = 16e6; // one request a file took 26 ms each, a batch of 40 little more
let sending = false;

// Everything below a dropped entry, as [file, name with folders].
const walk = async (entry, above = '') => {
  if (entry.isFile) return [[await new Promise((resolve, reject) => entry.file(resolve, reject)), above + entry.name]];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    for (const one of some) found.push(...await walk(one, `${above}${entry.name}/`));
  }
};
const hidden = name => name.split('/').some(part => part.startsWith('.') || part === '__MACOSX');

// The paths on the server, in the order of the files; null if the request failed.
const sendBatch = async batch => {
  const form = new FormData();
  for (const [file] of batch) form.append('files', file, file.name);
  try {
    const answer = await fetch(new URL('gradio_api/upload', document.baseURI), { method: 'POST', body: form });
    return answer.ok ? await answer.json() : null;
  } catch (error) { return null; }
};

const send = async list => {
  list = list.filter(([, name]) => !hidden(name));
  if (!list.length || sending) return;
  const limits = props.value?.limits || {};
  if (list.length > limits.files) { complain(t('too_many', { n: limits.files })); return; }
  const total = list.reduce((sum, [file]) => sum + file.size, 0);
  if (total > limits.bytes) { complain(t('too_much', { size: bytes(limits.bytes) })); return; }
  sending = true;
  const all = list.length, files = [];
  let failed = 0, done = 0;
  const zone = root.querySelector('.drop'), line = root.querySelector('.drop-status'), bar = root.querySelector('.drop progress');
  zone.dataset.busy = '1';
  bar.hidden = false; bar.max = all;
  const advance = n => { done += n; bar.value = done; line.textContent = t('uploading', { done, total: all }); };
  const batches = [];
  for (const one of list) {
    const [file, name] = one, last = batches[batches.length - 1];
    if (file.size > limits.file_bytes) { files.push({ name, size: file.size }); advance(1); continue; }
    if (last && last.length < BATCH_FILES && last.bytes + file.size <= Math.min(BATCH_BYTES, limits.file_bytes)) { last.push(one); last.bytes += file.size; }
    else { const next = [one]; next.bytes = file.size; batches.push(next); }
  }
  const lane = async () => {
    for (let batch; (batch = batches.shift());) {
      // A batch that fails for one file is sent again file by file, so that only that one is lost.
      const paths = await sendBatch(batch) || (batch.length > 1 ? await Promise.all(batch.map(async one => (await sendBatch([one]))?.[0])) : [null]);
      batch.forEach(([file, name], i) => paths[i] ? files.push({ path: paths[i], name, size: file.size }) : failed++);
      advance(batch.length);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  line.textContent = t('checking');
  sending = false;
  trigger('stage', { files, failed });
};
const complain = message => {
  const line = root.querySelector('.drop-status');
  line.textContent = message;
  line.classList.add('wrong');
};

const picker = (label, folder) => {
  const input = el('input', 'visually-hidden', null, { type: 'file', multiple: '', webkitdirectory: folder ? '' : null });
  if (folder) input.classList.add('pick-folder'); else input.classList.add('pick-files');
  input.addEventListener('change', () => { send([...input.files].map(file => [file, file.webkitRelativePath || file.name])); input.value = ''; });
  return el('label', 'secondary', label, {}, input);
};
const zone = value => {
  const node = el('div', 'drop');
  node.append(el('p', 'drop-title', t('drop')), el('div', 'buttons', null, {}, picker(t('choose_files'), false), picker(t('choose_folder'), true)),
    el('p', 'formats', t('formats')), el('p', 'formats', t('limits', { mb: value.limits.mb, files: t('files', { n: value.limits.files }) })));
  const bar = el('progress'); bar.hidden = true;
  node.append(bar, el('p', 'drop-status', '', { role: 'status' }));
  let depth = 0;
  node.addEventListener('dragenter', event => { event.preventDefault(); depth++; node.dataset.over = '1'; });
  node.addEventListener('dragleave', () => { if (--depth <= 0) { depth = 0; delete node.dataset.over; } });
  node.addEventListener('dragover', event => { event.preventDefault(); event.dataTransfer.dropEffect = 'copy'; });
  node.addEventListener('drop', async event => {
    event.preventDefault();
    depth = 0; delete node.dataset.over;
    const entries = [...event.dataTransfer.items].map(item => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
    const plain = [...event.dataTransfer.files].map(file => [file, file.name]);
    const list = [];
    for (const entry of entries) list.push(...await walk(entry));
    send(list.length ? list : plain);
  });
  return node;
};
const pathForm = () => {
  const input = el('input', null, null, { type: 'text', id: 'labse-path', placeholder: t('path_placeholder'), spellcheck: 'false', autocomplete: 'off' });
  const go = button('secondary', t('path_check'), () => { if (input.value.trim()) { root.querySelector('.drop-status').textContent = t('checking'); trigger('check_path', { place: input.value.trim() }); } });
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
    rows, el('tfoot', null, null, {}, el('tr', null, null, {}, el('th', null, '', { scope: 'row' }), el('td', 'number', t('files', { n: plan.files })), el('td', 'number', bytes(plan.bytes))))));
  const notes = el('ul', 'plan-notes');
  const names = list => list.length ? el('bdi', 'names', ' ' + list.join(', ') + (list.length >= 5 ? ' …' : '')) : null;
  for (const key of ['already', 'unsupported', 'too_large', 'refused']) {
    const some = plan[key];
    if (some.n) notes.append(el('li', key, t(key, { n: some.n, mb: value.limits.mb }), {}, names(some.names)));
  }
  if (plan.failed) notes.append(el('li', 'refused', t('upload_failed', { n: plan.failed })));
  if (plan.new) notes.append(el('li', null, plan.seconds ? t('estimate', { time: duration(plan.seconds) }) : t('no_estimate')));
  box.append(notes);
  const start = button('primary start', t('start'), () => { start.disabled = true; trigger('start', { token: plan.token }); });
  box.append(el('div', 'buttons', null, {}, plan.new ? start : null, button('secondary', t('discard'), () => trigger('discard', { token: plan.token }))));
  return box;
};

const draw = () => {
  const value = props.value;
  if (!value?.limits || sending) return;
  const nodes = [zone(value)];
  if (value.local) nodes.push(pathForm());
  if (value.message) nodes.push(el('p', 'notice error', value.message, { role: 'alert' }));
  if (value.plan) nodes.push(preflight(value));
  root.replaceChildren(...nodes);
  root.querySelector('.start')?.focus();
};
watch('value', draw);
draw();
