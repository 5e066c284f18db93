// @ts-check
// Tuning: what it takes, how far it is, before and after, applied and taken back. Events to Python: 'look', 'plan' {threshold
// and the recipe}, 'start' {name, and the same}, 'request' {job, action}, 'delete_run' {name}, 'use_model' {name}, 'switch'
// {number}; all but 'look' with {collection}: whose tunings are shown.
const { el, t, button, date, duration, number, bytes, language } = labse;
const root = element.querySelector('.tune-part');
const FIELDS = [['epochs', 3, 0.5], ['processes', 0, 1], ['batch', 0, 1], ['learning_rate', 0, 'any'], ['scale', 20, 1], ['margin', 0.1, 0.05]];
const chosen = {};
let value = {}, last = '', planning = false, open = new Set(), advanced = false;
const send = (event, data) => trigger(event, { collection: value.collection, ...data });
const SVG = 'http://www.w3.org/2000/svg';
const draw1 = (tag, attributes) => { const node = document.createElementNS(SVG, tag); for (const key in attributes) node.setAttribute(key, attributes[key]); return node; };
const asked = () => ({ threshold: labse.keepFrom || '', ...Object.fromEntries(Object.entries(chosen).map(([key, one]) => [key, String(one)])) });
const points = x => `${x > 0 ? '+' : ''}${x.toFixed(1)}`;

// One line over the steps, with its first and its last value written out.
const curve = (label, rows, digits) => {
  if (rows.length < 2) return null;
  const [w, h] = [320, 90], xs = rows.map(row => row[0]), ys = rows.map(row => row[1]);
  const [low, high, from, to] = [Math.min(...ys), Math.max(...ys), xs[0], xs[xs.length - 1]];
  const at = ([x, y]) => `${(w * (x - from) / Math.max(to - from, 1)).toFixed(1)},${(h - 4 - (h - 8) * (y - low) / Math.max(high - low, 1e-9)).toFixed(1)}`;
  const svg = draw1('svg', { viewBox: `0 0 ${w} ${h}`, role: 'img', 'aria-label': `${label}: ${ys[0].toFixed(digits)} → ${ys[ys.length - 1].toFixed(digits)}`, preserveAspectRatio: 'none' });
  svg.append(draw1('polyline', { points: rows.map(at).join(' '), fill: 'none', 'vector-effect': 'non-scaling-stroke' }));
  return el('figure', 'curve', null, {}, svg, el('figcaption', null, `${label}: ${ys[0].toFixed(digits)} → ${ys[ys.length - 1].toFixed(digits)}`));
};
const fold = (key, label, ...nodes) => {
  const box = el('details', null, null, {}, el('summary', null, label), ...nodes);
  box.open = open.has(key);
  box.addEventListener('toggle', () => { box.open ? open.add(key) : open.delete(key); });
  return box;
};
const cells = (tag, ...texts) => texts.map((one, i) => el(tag, i ? 'number' : null, one, tag === 'th' ? { scope: 'col' } : {}));
const table = (rows, ...heads) => el('div', 'table-box', null, {}, el('table', null, null, {}, el('thead', null, null, {}, el('tr', null, null, {}, ...cells('th', ...heads))), el('tbody', null, null, {}, ...rows)));
const verdict = run => {
  const { reason, gain, table: rows, languages } = run.verdict, nodes = [];
  if (gain) nodes.push(el('p', 'gain', t('teach_gain', { gain: points(gain.difference), low: points(gain.low), high: points(gain.high) })));
  if (run.state === 'refused') nodes.push(el('p', 'notice weak', t('teach_refused_why', { reason })));
  if (rows.length) nodes.push(table(rows.map(row => el('tr', null, null, {}, ...cells('td', row.name, row.before.toFixed(2), row.after.toFixed(2), points(row.after - row.before)))), '', t('teach_before'), t('teach_after'), t('teach_change')));
  if (languages.length) nodes.push(fold(`${run.name} languages`, t('teach_by_language'), table(languages.map(row => el('tr', null, null, {},
    ...cells('td', row.name.split('-').map(language).join(' – '), number(row.pairs), row.before.toFixed(1), row.after.toFixed(1), `${points(row.after - row.before)} (${points(row.low)} … ${points(row.high)})`))), '', t('teach_pairs_column'), t('teach_before'), t('teach_after'), t('teach_change'))));
  return nodes;
};
const answer = one => el('td', null, null, {}, el('bdi', 'clip', one.answer), el('span', one.right ? 'ok' : one.right === false ? 'wrong' : 'subdued', one.rank === 1 ? t('judge_yes') : t('teach_rank', { rank: one.rank })));
const own = run => {
  if (!run.own) return null;
  if (run.own.none) return el('p', 'note', `${t('teach_own')}: ${run.own.none}`);
  const { rows, before, after, low, high } = run.own, share = x => `${Math.round(100 * x)} %`;
  return fold(`${run.name} own`, `${t('teach_own')}: ${t('teach_own_summary', { before: share(before), after: share(after), low: points(100 * low), high: points(100 * high) })}`,
    el('div', 'table-box', null, {}, el('table', 'own', null, {}, el('thead', null, null, {}, el('tr', null, null, {}, ...['teach_question', 'teach_old_answer', 'teach_new_answer'].map(key => el('th', null, t(key), { scope: 'col' })))),
      el('tbody', null, null, {}, ...rows.map(row => el('tr', null, null, {}, el('th', null, row.question, { scope: 'row', dir: 'auto' }), answer(row.before), answer(row.after)))))));
};
const apply = run => {
  if (run.state !== 'accepted') return null;
  const box = el('div', 'apply', null, {}), made = run.generation;
  const act = (cls, key, event, data) => button(`${cls} ${event}`, t(key), click => { labse.hold(click.target); send(event, data); });
  if (!made) box.append(el('p', 'note', t('teach_apply_note', { passages: t('passages', { n: value.passages }), time: duration(value.passages * (run.plan.seconds_a_text || 0)) })), act('primary', 'teach_apply', 'use_model', { name: run.name }));
  else if (run.building) box.append(labse.jobLine(run.building, t('gen_building'), { at: run.building.files_done, of: run.building.files, words: t('passages', { n: run.building.segments }) }, action => send('request', { job: run.building.id, action })));
  else if (made.state === 'ready') box.append(el('p', 'note', t('teach_ready')), act('primary', 'gen_switch', 'switch', { number: made.number }));
  else if (made.state === 'serving') box.append(el('p', 'ok', t('teach_serving')), value.back ? act('secondary', 'teach_back', 'switch', { number: value.back }) : '');
  else box.append(el('p', 'note', t(`gen_${made.state}`)), act('secondary', 'teach_apply', 'use_model', { name: run.name }));
  return box;
};
const plan = run => {
  const { seconds, memory, free, processes, training_pairs: pairs, dev_pairs: dev } = run.plan, small = memory * processes > free;
  return el('article', 'run planned', null, { 'data-run': run.name }, el('p', null, t('teach_plan', { time: duration(seconds), memory: bytes(memory * processes), free: bytes(free), pairs, dev })),
    run.counts.known ? null : el('p', 'note', t('teach_known_note')), small ? el('p', 'notice weak', t('teach_too_small'), { role: 'alert' }) : null,
    el('div', 'buttons', null, {}, button('primary start', t('teach_start'), event => { labse.hold(event.target); send('start', { name: run.name, ...asked() }); }), button('link discard', t('discard'), () => send('delete_run', { name: run.name }))));
};
const card = run => {
  const state = { accepted: 'teach_accepted', refused: 'teach_refused', open: 'teach_unfinished' }[run.state];
  const head = el('header', 'run-head', null, {}, el('h3', null, date(run.created)), el('span', `chip ${run.state}`, t(state)), el('span', 'counts', t('teach_run_counts', { base: run.base, n: run.counts.pairs, questions: run.counts.questions })));
  const box = el('article', 'run', null, { 'data-run': run.name, 'data-state': run.state }, head);
  if (run.job) box.append(labse.jobLine(run.job, t('teach_tuning'), { at: run.step, of: run.steps, words: run.steps ? t('teach_step', { step: run.step, steps: run.steps }) : '' }, action => send('request', { job: run.job.id, action })));
  const curves = [curve(t('teach_loss'), run.loss, 3), curve(t('teach_accuracy'), run.accuracy, 1)].filter(Boolean);
  const drawn = curves.length ? el('div', 'curves', null, {}, ...curves) : null;
  if (!run.verdict && drawn) box.append(drawn);
  if (run.verdict) {
    const pictures = el('div', 'plots', null, {}, ...(open.has(`${run.name} plots`) ? run.plots : []).map(name => el('img', null, null, { src: `teach/plot/${run.name}/${name}.png`, alt: name, loading: 'lazy' })));
    const plots = run.plots.length ? fold(`${run.name} plots`, t('teach_plots'), drawn, pictures) : drawn;
    if (plots instanceof HTMLDetailsElement) plots.addEventListener('toggle', () => { if (plots.open && !pictures.children.length) pictures.append(...run.plots.map(name => el('img', null, null, { src: `teach/plot/${run.name}/${name}.png`, alt: name }))); });
    box.append(...verdict(run), ...[own(run), plots, apply(run)].filter(Boolean));
  }
  if (!run.job || run.job.state === 'failed') box.append(button('link act-remove delete-run', t('teach_delete'), event => { if (window.confirm(t('teach_delete_sure', { date: date(run.created) }))) { labse.hold(event.target); send('delete_run', { name: run.name }); } }));
  return box;
};
const recipe = () => {
  const box = el('div', 'recipe');
  for (const [name, usual, step] of FIELDS) {
    const input = el('input', null, null, { type: 'number', min: 0, step, id: `labse-recipe-${name}` });
    input.value = chosen[name] ?? usual;
    input.addEventListener('input', () => { chosen[name] = input.value; });
    box.append(el('label', null, t(`teach_${name}`), { for: `labse-recipe-${name}` }), input);
  }
  for (const [name, usual] of [['keep_answers', 'yes'], ['lenient', 'no']]) {
    const input = el('input', null, null, { type: 'checkbox', id: `labse-recipe-${name}` });
    input.checked = (chosen[name] || usual) === 'yes';
    input.addEventListener('change', () => { chosen[name] = input.checked ? 'yes' : 'no'; });
    box.append(el('label', null, t(`teach_${name}`), { for: `labse-recipe-${name}` }), input);
  }
  const folded = el('details', 'advanced', null, {}, el('summary', null, t('teach_advanced')), box);
  folded.open = advanced;
  folded.addEventListener('toggle', () => { advanced = folded.open; });
  return folded;
};
const draw = () => {
  const busy = value.runs.some(run => run.job && run.job.state !== 'failed'), planned = value.runs.find(run => run.state === 'planned' && run.plan.seconds);
  const go = button('primary tune', t('teach_tune'), () => {
    planning = true; last = ''; draw();
    send('plan', asked());
  });
  go.disabled = busy || planning;
  const tune = el('section', null, null, { 'aria-labelledby': 'labse-teach-tune' }, el('h2', null, t('teach_tune_title'), { id: 'labse-teach-tune' }), el('p', 'note', t('teach_tune_note')),
    value.message ? el('p', 'notice error', value.message, { role: 'alert' }) : null, el('div', 'buttons', null, {}, go, planning ? el('span', 'counts', t('teach_planning'), { role: 'status' }) : null), recipe(), planned && !planning ? plan(planned) : null);
  const done = value.runs.filter(run => run.state !== 'planned');
  const list = el('section', null, null, { 'aria-labelledby': 'labse-teach-runs' }, el('h2', null, t('teach_runs'), { id: 'labse-teach-runs' }), ...(done.length ? done.map(card) : [el('p', 'empty', t('teach_no_runs'))]));
  const from = root.contains(document.activeElement) ? document.activeElement?.id : '';
  root.replaceChildren(tune, list);
  if (from) root.querySelector(`#${from}`)?.focus();
};
const take = () => {
  const given = props.value;
  if (!given?.runs || given.nonce === value.nonce) return;
  labse.release(root);
  if (given.planned || given.collection !== value.collection) planning = false;
  if (!(given.nonce < value.nonce)) value = given; // else a later answer overtook it
  const now = JSON.stringify({ ...value, nonce: 0, planned: 0, planning });
  if (now === last) return;
  last = now;
  draw();
};
if (labse.tuneOff) labse.tuneOff();
const working = () => value.runs?.some(run => ['queued', 'running'].includes(run.job?.state) || ['queued', 'running'].includes(run.building?.state));
const timer = setInterval(() => { if (root.offsetParent && !planning && working()) trigger('look'); }, 1000);
const onStatus = event => { if (root.offsetParent && value.collection && event.detail.collection !== value.collection) trigger('look'); };
const onFailed = event => {
  if (!planning || !('threshold' in event.detail) || 'limit' in event.detail) return;
  planning = false;
  value = { ...value, message: t('ask_failed') };
  draw();
};
window.addEventListener('labse-status', onStatus);
window.addEventListener('labse-failed', onFailed);
labse.tuneOff = () => {
  window.removeEventListener('labse-status', onStatus);
  window.removeEventListener('labse-failed', onFailed);
  clearInterval(timer);
};
watch('value', take);
take();
