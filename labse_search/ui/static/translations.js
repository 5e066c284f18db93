// @ts-check
// Documents that are translations or copies of each other, what was aligned, and any two to be aligned. Opening two side
// by side is a step of the address (?align=SOURCE.TARGET), which align.js follows. Events to Python: 'shown',
// 'request' {job, action}, 'forget' {id}.
const { el, t, language, button, number } = labse;
const root = element.querySelector('.translations');
let last = '', chosen = ['', ''];

const open = (source, target) => labse.go({ view: '', align: `${source.document}.${target.document}` });
const named = one => el('span', 'doc-of', null, {}, one.lang ? el('span', 'chip', language(one.lang)) : null, el('bdi', null, one.title));
const row = (source, target, remark, ...more) => el('li', null, null, {}, named(source), named(target), el('span', 'subdued number', remark),
  el('span', 'doc-actions', null, {}, button('link open-pair', t('trans_open'), () => open(source, target), { 'aria-label': `${t('trans_open')}: ${source.title}, ${target.title}` }), ...more));
const line = job => labse.jobLine(job, t(job.kind === 'align' ? 'align_running' : 'trans_looking'), { at: job.files_done, of: job.files, words: '' }, action => trigger('request', { job: job.id, action }));
const chooser = value => {
  const box = el('div', 'embed-row', null, { role: 'group', 'aria-label': t('trans_choose') });
  const picks = ['trans_first', 'trans_second'].map((key, side) => {
    const pick = el('select', 'pick', null, { 'aria-label': t(key) });
    pick.append(el('option', null, t(key), { value: '' }));
    for (const one of value.documents) pick.append(el('option', null, one.lang ? `${one.title} (${language(one.lang)})` : one.title, { value: one.document }));
    pick.value = chosen[side];
    pick.addEventListener('change', () => { chosen[side] = pick.value; may(); });
    return pick;
  });
  const go = button('secondary', t('trans_open'), () => open({ document: chosen[0] }, { document: chosen[1] }));
  const may = () => { go.disabled = !chosen[0] || !chosen[1] || chosen[0] === chosen[1]; };
  may();
  box.append(...picks, go);
  return box;
};
const percent = new Intl.NumberFormat(labse.locale, { style: 'percent', roundingMode: 'floor' });
const forget = one => button('link act-remove', t('trans_forget'), () => { if (window.confirm(t('trans_forget_sure'))) trigger('forget', { id: one.id }); },
  { 'aria-label': `${t('trans_forget')}: ${one.source.title}, ${one.target.title}` });
// Copies, the most alike first, and files with the very same content, which are one document.
const once = one => el('li', null, null, {}, named({ lang: one.lang, title: one.names[0] }),
  el('span', 'doc-of', null, {}, ...one.names.slice(1).flatMap((name, i) => [i ? ' · ' : null, el('bdi', null, name)])), el('span', 'subdued number', t('copies_once')));
const copies = value => {
  if (!value.copies.length && !value.several.length) return null;
  return el('section', 'manage', null, { 'aria-labelledby': 'labse-copies' }, el('h2', null, t('copies_title'), { id: 'labse-copies' }), el('p', 'subdued', t('copies_note')),
    el('ul', 'pairs-of copies', null, {}, ...value.copies.map(one => row(one.source, one.target, percent.format(one.share))), ...value.several.map(once)),
    value.more_copies ? el('p', 'subdued', t('and_more', { n: value.more_copies })) : null);
};
const draw = () => {
  const value = props.value;
  if (!value?.nonce) return;
  labse.release(root);
  const now = JSON.stringify({ ...value, nonce: 0 });
  if (now === last) return;
  last = now;
  const nodes = [];
  if (value.message) nodes.push(el('p', 'notice error', value.message, { role: 'alert' }));
  if (value.documents?.length) {
    const list = el('ul', 'pairs-of'), kept = el('ul', 'pairs-of kept');
    value.pairs.forEach(one => list.append(row(one.source, one.target, percent.format(one.share))));
    value.kept.forEach(one => kept.append(row(one.source, one.target, t('trans_pairs', { n: one.n }), forget(one))));
    nodes.push(el('section', 'manage', null, { 'aria-labelledby': 'labse-translations' }, el('h2', null, t('trans_title'), { id: 'labse-translations' }), el('p', 'subdued', t('trans_note')),
      ...value.jobs.map(line), value.pairs.length ? list : value.looked && !value.jobs.length ? el('p', 'subdued', t('trans_none')) : null,
      value.more ? el('p', 'subdued', t('and_more', { n: value.more })) : null,
      value.kept.length ? el('h3', null, t('trans_kept')) : null, value.kept.length ? kept : null, value.documents.length > 1 ? chooser(value) : null));
    const same = copies(value);
    if (same) nodes.push(same);
  }
  root.replaceChildren(...nodes);
};
const atWork = () => props.value?.jobs?.some(job => ['queued', 'running'].includes(job.state));
// The list follows what is indexed, and its jobs, while somebody looks at it; a choice that is being made is left alone.
const choosing = () => root.contains(document.activeElement) && document.activeElement?.tagName === 'SELECT';
const onStatus = () => { if (root.offsetParent && !choosing()) trigger('shown'); };
if (labse.translationsOff) labse.translationsOff();
window.addEventListener('labse-status', onStatus);
const timer = setInterval(() => { if (root.offsetParent && atWork() && !choosing()) trigger('shown'); }, 1000);
labse.translationsOff = () => { window.removeEventListener('labse-status', onStatus); clearInterval(timer); };
watch('value', draw);
draw();
