// @ts-check
// Pairs of translations: found, imported, reviewed. Events to Python: 'mine' {languages}, 'request' {job, action}, 'look',
// 'shown', 'say' {pair, verdict}, 'take_back', 'take_in' {files, purpose}, 'clear_pairs' {purpose}; all but 'look' with
// {collection, threshold, limit}, which say whose pairs are shown, from which score they are kept, how many are listed.
const { el, t, language, dir, button, number } = labse;
const root = element.querySelector('.pairs-part');
const MOST_LANGUAGES = 12, PAGE = 25, VERDICTS = { r: 'right', w: 'wrong', s: 'skip' };
let value = {}, threshold = labse.keepFrom = '', limit = PAGE, last = 0, newest = 0, open = false, wantsBack = false, saying = null, drawn = null, again = false;
let ahead = []; // pairs to review: the page goes on before the app has answered
const said = new Set();
const send = (event, data = {}) => trigger(event, { collection: value.collection, threshold, limit, ...data });
const share = x => `${Math.round(1000 * x) / 10} %`;

const languagePick = () => {
  const select = el('select', 'pick', null, { 'aria-label': t('teach_languages') });
  select.append(el('option', null, t('teach_all_languages'), { value: '' }));
  const codes = value.languages.slice(0, MOST_LANGUAGES).map(([code]) => code);
  codes.forEach((one, i) => codes.slice(i + 1).forEach(other => select.append(el('option', null, `${language(one)} – ${language(other)}`, { value: `${one},${other}` }))));
  return select;
};
const importer = (key, purpose) => {
  const input = el('input', 'visually-hidden', null, { type: 'file', multiple: '', accept: '.tsv,.csv,.tmx,.jsonl,.json,.gz,.xz' });
  input.addEventListener('change', async () => {
    const files = [...input.files || []], address = new URL('upload', document.baseURI);
    if (!files.length) return;
    address.searchParams.set('sizes', files.map(file => file.size).join(','));
    let names = null;
    try { const answer = await fetch(address, { method: 'POST', body: new Blob(files) }); names = answer.ok ? await answer.json() : null; } catch (error) { names = null; }
    send('take_in', { purpose, files: files.map((file, i) => ({ upload: names?.[i] || '', name: file.name })) });
    input.value = '';
  });
  return el('label', 'secondary', t(key), {}, input);
};
const exportLink = kind => {
  const parameters = new URLSearchParams({ collection: value.collection, threshold });
  return el('a', 'link', kind.toUpperCase(), { href: `teach/pairs.${kind}?${parameters}`, download: '' });
};
const found = () => {
  const box = el('section', null, null, { 'aria-labelledby': 'labse-teach-pairs' }, el('h2', null, t('teach_pairs'), { id: 'labse-teach-pairs' }), el('p', 'note', t('teach_intro')));
  const pick = languagePick();
  const go = button('primary mine', t('teach_mine'), () => { labse.hold(go); send('mine', { languages: pick.value.split(',').filter(Boolean) }); });
  go.disabled = !!value.job && value.job.state !== 'failed' || value.languages.length < 2;
  box.append(el('div', 'buttons', null, {}, go, pick, importer('teach_import', 'train')));
  if (value.job) box.append(labse.jobLine(value.job, t('teach_mining'), { at: value.job.files_done, of: value.job.files, words: t('teach_total', { n: value.job.segments }) }, action => send('request', { job: value.job.id, action })));
  if (value.imported) box.append(el('p', 'note', t('teach_imported', { n: value.imported.n, new: value.imported.new }), { role: 'status' }));
  if (value.languages.length < 2) box.append(el('p', 'note', t('teach_few_languages')));
  const known = el('div', 'buttons', null, {}, importer('teach_import_known', 'measure'), el('span', 'counts', t('teach_known', { n: value.known })));
  if (value.known) known.append(button('link', t('teach_clear'), () => send('clear_pairs', { purpose: 'measure' })));
  box.append(known, el('p', 'note', t('teach_known_note')));
  if (value.known && value.known < value.fewest) box.append(el('p', 'notice weak', t('teach_known_few', { fewest: value.fewest })));
  return box;
};
const text = (words, code) => el('p', 'side', words, { lang: code || null, dir: dir(code) });
const review = () => {
  const box = el('section', 'review', null, { 'aria-labelledby': 'labse-teach-review' }, el('h2', null, t('teach_review'), { id: 'labse-teach-review' }));
  const one = ahead[0];
  if (!value.total) box.append(el('p', 'empty', t('teach_none')));
  else if (!one) box.append(el('p', 'empty', t('teach_reviewed_all')));
  else box.append(el('p', 'note', t('teach_review_note')), el('article', 'pair', null, { 'data-pair': one.id },
    el('div', 'sides', null, {}, ...[['source', 0], ['target', 1]].map(([key, at]) => el('div', null, null, {}, el('span', 'chip', language(one.languages[at])), text(one[key], one.languages[at])))),
    el('p', 'note', t('teach_score', { score: one.score }))));
  const act = (cls, key, run) => { const node = button(`${cls} say-${key}`, t(`teach_${key}`), run); node.append(el('kbd', null, key === 'undo' ? 'u' : key[0])); return node; };
  const buttons = one ? Object.values(VERDICTS).map(verdict => act('secondary', verdict, () => say(verdict))) : [];
  if (value.judged || said.size) buttons.push(act('link', 'undo', takeBack));
  box.append(el('div', 'buttons', null, {}, ...buttons), estimate());
  return box;
};
const estimate = () => {
  const { precision, low, high, reviewed } = value.precision;
  const line = el('p', 'estimate', reviewed ? t('teach_precision', { n: reviewed, percent: share(precision), low: share(low), high: share(high) }) : value.total ? t('teach_no_precision') : '', { role: 'status' });
  if (reviewed) {
    const scale = el('span', 'interval', null, { 'aria-hidden': 'true' }), bar = el('i'), dot = el('b');
    bar.style.insetInlineStart = `${100 * low}%`; bar.style.inlineSize = `${100 * (high - low)}%`; dot.style.insetInlineStart = `${100 * precision}%`;
    scale.append(bar, dot); line.append(scale);
  }
  return line;
};
const list = () => {
  const from = el('input', 'find score-from', null, { type: 'number', step: '0.01', 'aria-label': t('teach_keep_from'), placeholder: value.lowest == null ? '' : value.lowest.toFixed(3) });
  from.value = threshold;
  from.addEventListener('change', () => { labse.keepFrom = threshold = from.value; send('shown'); });
  const body = el('tbody');
  for (const one of value.pairs) body.append(el('tr', one.verdict === 'wrong' ? 'gone' : null, null, { 'data-pair': one.id }, el('td', 'number', one.score),
    ...[['source', 0], ['target', 1]].map(([key, at]) => el('td', null, null, { lang: one.languages[at] || null, dir: dir(one.languages[at]) }, one[key])),
    el('td', null, one.verdict ? t(`teach_${one.verdict}`) : '')));
  const box = el('details', 'all-pairs', null, {}, el('summary', null, `${t('teach_total', { n: value.total })} · ${t('teach_kept', { n: value.kept })}`));
  box.open = open;
  box.addEventListener('toggle', () => { open = box.open; });
  box.append(el('div', 'buttons', null, {}, el('label', 'from', t('teach_keep_from') + ' ', {}, from), el('span', 'exports', null, {}, el('span', 'subdued', t('export')), exportLink('tsv'), exportLink('tmx')),
    button('link act-remove', t('teach_clear_pairs'), () => send('clear_pairs', { purpose: 'train' }))),
    el('div', 'table-box', null, {}, el('table', null, null, {}, body)));
  if (value.total > value.pairs.length) box.append(button('secondary show-more', t('show_more', { n: Math.min(4 * PAGE, value.total - value.pairs.length) }), () => { limit += 4 * PAGE; send('shown'); }));
  return box;
};
const say = verdict => {
  const one = ahead.shift();
  if (!one) return;
  said.add(one.id); saying = one.id;
  send('say', { pair: one.id, verdict });
  draw();
};
// What was said last may still be on its way.
const takeBack = () => { if (saying == null) send('take_back'); else wantsBack = true; };
// Everything but the field that somebody types in, which would lose the caret if it left the page for a moment.
const drawAround = (field, nodes) => {
  const box = field.closest('.all-pairs'), bar = box.querySelector('.buttons'), label = field.closest('label'), fresh = nodes.pop();
  const freshBar = fresh.querySelector('.buttons'), freshField = fresh.querySelector('.score-from');
  field.placeholder = freshField.placeholder;
  for (const [outer, kept] of [[root, box], [box, bar], [bar, label]]) for (const node of [...outer.childNodes]) if (node !== kept) node.remove();
  box.before(...nodes);
  label.after(...[...freshBar.childNodes].filter(node => !node.contains(freshField)));
  const at = [...fresh.childNodes].indexOf(freshBar);
  bar.before(...[...fresh.childNodes].slice(0, at));
  bar.after(...[...fresh.childNodes].filter(node => node !== freshBar));
};
const draw = () => {
  if (!value.languages) { root.replaceChildren(value.message ? el('p', 'notice error', value.message, { role: 'alert' }) : ''); return; }
  const from = document.activeElement, inside = from && root.contains(from);
  const key = inside && [...from.classList].find(name => name.startsWith('say-'));
  const nodes = [value.message ? el('p', 'notice error', value.message, { role: 'alert' }) : '', found(), review(), value.total ? list() : ''].filter(Boolean);
  if (inside && from.classList.contains('score-from') && value.total && drawn === value.collection) { drawAround(from, nodes); return; }
  drawn = value.collection;
  root.replaceChildren(...nodes);
  if (key) root.querySelector(`.${key}`)?.focus();
};
const take = () => {
  const given = props.value;
  if (!given || given.nonce === last) return;
  const late = given.nonce < newest; // a later answer overtook it: it only says what was heard
  if (late && (given.partial || given.collection !== value.collection)) return;
  last = given.nonce;
  if (!given.partial) newest = Math.max(newest, last || 0); // none in what it begins with
  if (given.partial) {
    const ended = value.job && !given.job;
    value = { ...value, job: given.job, message: given.message || '' };
    if (ended) { send('shown'); return; }
  } else {
    if (given.collection !== value.collection) { said.clear(); limit = PAGE; labse.keepFrom = threshold = ''; saying = null; }
    if (!late) value = given;
    if (given.said === saying || given.message) saying = null;
    for (const one of given.undone || []) said.delete(one.id);
    ahead = [...(given.undone || []), ...(late ? ahead : given.queue || []).filter(one => !(given.undone || []).some(other => other.id === one.id))].filter(one => !said.has(one.id));
    if (wantsBack && saying == null) { wantsBack = false; send('take_back'); }
    // Asked for before the threshold was changed, or by the tab, which knows of none: its numbers are not those of the field.
    const other = !late && !!given.languages && (given.threshold ?? null) !== (threshold === '' ? null : Number(threshold));
    again = other && !again;
    if (again) { send('shown'); if (drawn === value.collection && !given.message) return; }
  }
  draw();
};
const onKey = event => {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || labse.editing() || labse.modal() || !root.offsetParent) return;
  if (VERDICTS[event.key] && ahead.length) { event.preventDefault(); say(VERDICTS[event.key]); }
  else if (event.key === 'u') { event.preventDefault(); takeBack(); }
};
// Another collection was opened: its pairs, from whichever score.
const onStatus = event => { if (root.offsetParent && value.collection && event.detail.collection !== value.collection) trigger('shown'); };
const onFailed = event => {
  if (saying == null || event.detail.pair !== saying) return;
  said.delete(saying); // nobody has heard it: the pair is asked about again
  saying = null; wantsBack = false;
  send('shown');
};
if (labse.pairsOff) labse.pairsOff();
window.addEventListener('labse-status', onStatus);
window.addEventListener('labse-failed', onFailed);
document.addEventListener('keydown', onKey);
const timer = setInterval(() => { if (root.offsetParent && ['queued', 'running'].includes(value.job?.state)) trigger('look'); }, 1000);
labse.pairsOff = () => {
  window.removeEventListener('labse-status', onStatus);
  window.removeEventListener('labse-failed', onFailed);
  document.removeEventListener('keydown', onKey);
  clearInterval(timer);
};
watch('value', take);
take();
