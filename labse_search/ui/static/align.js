// @ts-check
// Two documents side by side, sentence by sentence, and the hand that corrects what says what. Which two stands in the
// address (?align=SOURCE.TARGET). Events to Python: 'align' {source, target}, 'request' {source, target, job, action},
// 'correct' {id, action, at}, 'to_review' {id}.
const { el, t, language, dir, button } = labse;
const dialog = element.querySelector('dialog');
const ACTIONS = { m: 'merge', s: 'split', x: 'unlink', u: 'undo' };
let last = '', asked = '', value = null, at = 0, list = null, waiting = false;

const two = () => { const [source, target] = asked.split('.'); return { source, target }; };
const close = () => labse.go({ align: '' });
// Between copies, what one side says and the other does not.
const wordsOf = (text, lang) => [...new Intl.Segmenter(lang, { granularity: 'word' }).segment(text)];
const different = (text, other, lang) => {
  const there = new Set(wordsOf(other, lang).map(one => one.segment.toLocaleLowerCase()));
  return wordsOf(text, lang).map(one => one.isWordLike && !there.has(one.segment.toLocaleLowerCase()) ? el('mark', null, one.segment) : one.segment);
};
const side = (one, from, to, other) => {
  const box = el('div', 'side', null, { lang: one.lang || null, dir: dir(one.lang) });
  for (const sentence of one.sentences.slice(from, to)) box.append(el('p', null, null, {}, ...(other ? different(sentence, other, one.lang) : [sentence])));
  if (from === to) box.append(el('p', 'subdued', t('align_alone'), { lang: labse.locale, dir: dir(labse.locale) }));
  return box;
};
const row = bead => {
  const [first, end, start, stop, score] = bead, alone = first === end || start === stop;
  const [left, right] = value.sides, copies = !alone && left.lang && left.lang === right.lang && 'Segmenter' in Intl;
  const said = (one, from, to) => copies ? one.sentences.slice(from, to).join(' ') : '';
  const node = el('li', `bead${alone ? ' alone' : ''}${score == null ? ' own' : ''}`, null, { tabindex: '-1' },
    side(left, first, end, said(right, start, stop)), side(right, start, stop, said(left, first, end)));
  node.addEventListener('focus', () => choose([...list.children].indexOf(node)));
  node.addEventListener('click', () => { if (!String(getSelection())) node.focus(); });
  return node;
};
const choose = to => {
  list.children[at]?.setAttribute('tabindex', '-1');
  list.children[at]?.removeAttribute('aria-current');
  at = Math.max(0, Math.min(to, list.children.length - 1));
  list.children[at]?.setAttribute('tabindex', '0');
  list.children[at]?.setAttribute('aria-current', 'true');
  allow();
};
const move = to => { choose(to); list.children[at]?.focus({ preventScroll: true }); list.children[at]?.scrollIntoView({ block: 'nearest' }); };
const may = action => {
  if (waiting || !value?.beads) return false;
  const [first, end, start, stop] = value.beads[at] || [0, 0, 0, 0];
  return { merge: at + 1 < value.beads.length, split: end - first > 1 || stop - start > 1, unlink: end > first && stop > start, undo: value.undo > 0 }[action];
};
const allow = () => { for (const node of dialog.querySelectorAll('[data-action]')) node.disabled = !may(node.dataset.action); };
const correct = action => {
  if (!may(action)) return;
  waiting = true;
  allow();
  trigger('correct', { ...two(), id: value.id, action, at });
};
// Only the rows that changed are drawn again.
const take = beads => {
  const same = (a, b) => a && b && a.every((x, i) => x === b[i]);
  const old = value.beads;
  let head = 0, tail = 0;
  while (head < Math.min(old.length, beads.length) && same(old[head], beads[head])) head++;
  while (tail < Math.min(old.length, beads.length) - head && same(old[old.length - 1 - tail], beads[beads.length - 1 - tail])) tail++;
  value.beads = beads;
  [...list.children].slice(head, old.length - tail).forEach(node => node.remove());
  const before = list.children[head] || null;
  for (const bead of beads.slice(head, beads.length - tail)) list.insertBefore(row(bead), before);
  move(Math.min(head, beads.length - 1));
};
const tools = () => {
  const act = (key, action) => { const node = button('secondary', t(`align_${action}`), () => correct(action), { 'data-action': action, 'aria-keyshortcuts': key }); node.append(el('kbd', null, key)); return node; };
  const exports = ['tmx', 'tsv'].map(kind => el('a', 'link', kind.toUpperCase(), { href: `aligned/${value.id}.${kind}`, download: '' }));
  return el('div', 'viewer-tools', null, {}, ...Object.entries(ACTIONS).map(([key, action]) => act(key, action)),
    el('span', 'exports', null, {}, el('span', 'subdued', t('export')), ...exports), button('link', t('align_review'), () => trigger('to_review', { ...two(), id: value.id })), el('span', 'said', '', { role: 'status' }));
};
const head = (...more) => el('header', 'viewer-head', null, {}, el('h2', 'title', t('align_title'), { id: 'labse-align-title' }),
  button('quiet close', '×', close, { 'aria-label': t('close'), title: t('close') }), ...more);
const titles = () => el('div', 'bead titles', null, {}, ...value.sides.map(one => el('div', null, null, {}, one.lang ? el('span', 'chip', language(one.lang)) : null, ' ', el('bdi', null, one.title))));
const draw = () => {
  const body = el('div', 'viewer-body');
  if (value.message) body.append(el('p', 'notice error', value.message, { role: 'alert' }));
  if (value.job) body.append(labse.jobLine(value.job, t('align_running'), { at: value.job.files_done, of: value.job.files, words: '' }, action => {
    trigger('request', { ...two(), job: value.job.id, action });
    if (action === 'cancel') close();
  }));
  list = el('ol', 'beads', null, { 'aria-label': t('align_title') });
  if (value.beads) {
    list.append(...value.beads.map(row));
    body.append(el('p', 'subdued', t('align_keys')), titles(), list);
  }
  dialog.replaceChildren(head(value.beads ? tools() : null), body);
  if (!dialog.open) dialog.showModal();
  if (value.beads) { at = 0; move(0); }
};
const onValue = () => {
  const given = props.value;
  if (!given?.nonce || given.nonce === last) return;
  last = given.nonce;
  if (!asked || !given.asked || given.asked.source !== two().source || given.asked.target !== two().target) return; // closed meanwhile
  if (value?.beads && given.sides && given.id === value.id) return; // asked twice while it was aligned: it is drawn, and perhaps corrected
  waiting = false;
  if (value?.id && given.id === value.id && given.beads && !given.sides) { value.undo = given.undo; take(given.beads); return; }
  if (value?.beads && !given.sides) {
    const said = dialog.querySelector('.said');
    if (said) said.textContent = given.message || (given.reviewed ? t('align_reviewed', { n: given.reviewed.n, new: given.reviewed.new }) : '');
    allow();
    return;
  }
  value = given;
  draw();
};
const onAddress = () => {
  const wanted = labse.parameter('align');
  if (wanted === asked) return;
  asked = wanted; value = null; waiting = false;
  if (dialog.open) dialog.close();
  if (wanted) trigger('align', two());
};
dialog.addEventListener('keydown', event => {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || !value?.beads) return;
  const step = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: value.beads.length - 1 }[event.key];
  if (step !== undefined) { event.preventDefault(); move(step); }
  else if (ACTIONS[event.key]) { event.preventDefault(); correct(ACTIONS[event.key]); }
});
dialog.addEventListener('cancel', event => { event.preventDefault(); close(); });
dialog.addEventListener('click', event => { if (event.target === dialog) close(); });
const onFailed = event => { if (waiting && 'at' in event.detail) { waiting = false; allow(); } };
if (labse.alignOff) labse.alignOff();
window.addEventListener('labse-failed', onFailed);
window.addEventListener('labse-address', onAddress);
const timer = setInterval(() => { if (asked && !value?.beads && ['queued', 'running', 'paused'].includes(value?.job?.state)) trigger('align', two()); }, 1000);
labse.alignOff = () => { window.removeEventListener('labse-failed', onFailed); window.removeEventListener('labse-address', onAddress); clearInterval(timer); };
watch('value', onValue);
setTimeout(onAddress, 0);
