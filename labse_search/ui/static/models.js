// @ts-check
// Which model answers, how to get another and embed the collection again by it. Events to Python: 'look_at' {model},
// 'fetch' {model}, 'use_for_new' {model}, 'embed_again' {model}, 'switch' {number}, 'drop_generation' {number},
// 'request' {job, action}, 'shown' when jobs have changed or another collection was opened.
const { el, t, button, bytes, duration } = labse;
const root = element.querySelector('.models');
let candidate = null, last = '';

const about = one => el('div', 'model-about', null, {}, el('p', null, null, {}, el('bdi', 'model-name', one.name),
  one.here ? el('span', 'subdued', [bytes(one.bytes), one.languages ? t('languages', { n: one.languages }) : '', t('model_window', { n: one.tokens })].filter(Boolean).join(' · ')) : null),
  el('p', 'subdued', one.problem || t(`model_known_${one.known}`)));
const ask = job => action => trigger('request', { job: job.id, action });
const embedding = job => labse.jobLine(job, t('model_embedding'), { at: job.files_done, of: job.files, words: `${labse.number(job.files_done)} / ${t('documents', { n: job.files })} · ${t('passages', { n: job.segments })}` }, ask(job));
const fetching = job => labse.jobLine(job, t('model_fetching', { name: job.model }), { at: job.share, of: 1, words: ['done', 'cancelled'].includes(job.state) ? job.model
  : t('model_arrived', { done: bytes(job.share * job.bytes), size: bytes(job.bytes) }) }, ask(job));
const generations = value => {
  const body = el('tbody'), lines = [];
  for (const one of value.generations) {
    const act = (key, event) => button(`link ${key}`, t(key), click => { labse.hold(click.target); trigger(event, { collection: value.collection, number: one.number }); }, { 'aria-label': `${t(key)}: ${one.name}` });
    const may = one.state === 'ready' ? [act('gen_switch', 'switch'), act('gen_drop', 'drop_generation')]
      : one.state === 'building' && ['cancelled', 'failed'].includes(one.job?.state) ? [act('gen_drop', 'drop_generation')] : [];
    body.append(el('tr', null, null, {}, el('th', null, null, { scope: 'row' }, el('bdi', null, one.name)), el('td', null, t(`gen_${one.state}`)),
      el('td', 'number', t('passages', { n: one.segments })), el('td', null, null, {}, el('span', 'doc-actions', null, {}, ...may))));
    if (one.job && one.job.state !== 'cancelled') lines.push(embedding(one.job));
  }
  return value.generations.length ? [el('div', 'table-box', null, {}, el('table', null, null, {}, body)), ...lines] : lines;
};
const work = (cls, key, event, model) => button(cls, t(key), click => { labse.hold(click.target); candidate = null; trigger(event, { collection: props.value.collection, model }); });
const looked = value => {
  const one = candidate, box = el('div', 'candidate', null, { role: 'status' }, about(one)), row = el('div', 'buttons');
  if (!one.here) {
    box.append(el('p', null, t('model_to_fetch', { size: bytes(one.fetch_bytes) }) + (one.fetched ? ' ' + t('model_fetched_part', { size: bytes(one.fetched) }) : '')));
    row.append(work('primary', 'model_fetch', 'fetch', one.model));
  } else {
    const known = value.generations.find(other => other.name === one.name && ['serving', 'ready'].includes(other.state));
    if (one.passages && !known) {
      box.append(el('p', null, t('model_embed_takes', { passages: t('passages', { n: one.passages }), time: one.seconds ? duration(one.seconds) : '?' })));
      row.append(work('primary', 'gen_embed', 'embed_again', one.model));
    }
    if (known) box.append(el('p', null, t('model_is_here')));
    if (!value.fixed && one.model !== value.new_model) row.append(work('secondary', 'model_use_new', 'use_for_new', one.model));
  }
  box.append(row);
  return box;
};
// Made once, so that a word that is being typed stays.
const input = el('input', 'find', null, { id: 'labse-model', type: 'text', list: 'labse-models', placeholder: t('gen_model'), 'aria-label': t('gen_model'), spellcheck: 'false', autocomplete: 'off', dir: 'ltr' });
const look = button('secondary', t('model_look'), () => {
  if (!input.value.trim()) { input.focus(); return; }
  candidate = null; labse.hold(look, t('checking_whole')); trigger('look_at', { model: input.value.trim() });
});
input.addEventListener('keydown', event => { if (event.key === 'Enter') look.click(); });
const suggested = el('datalist', null, null, { id: 'labse-models' });
const form = el('div', null, null, {}, el('h3', null, t('model_another')), el('div', 'embed-row', null, {}, input, look, suggested));
const state = el('div'), below = el('div');
const draw = () => {
  const value = props.value;
  if (!value?.collection) return;
  labse.release(root);
  if (value.candidate) candidate = value.candidate;
  const now = JSON.stringify([{ ...value, nonce: '' }, candidate]);
  if (now === last) return;
  last = now;
  const held = root.contains(document.activeElement) ? document.activeElement?.id : '';
  suggested.replaceChildren(...(value.suggested || []).map(name => el('option', null, null, { value: name })));
  state.replaceChildren(...(value.used ? [about(value.used)] : []), ...generations(value));
  below.replaceChildren(...(value.message ? [el('p', 'notice error', value.message, { role: 'alert' })] : []), ...(candidate ? [looked(value)] : []), ...(value.fetches || []).map(fetching));
  if (!form.isConnected) root.replaceChildren(el('section', 'manage', null, { 'aria-labelledby': 'labse-manage' }, el('h2', null, t('gen_title'), { id: 'labse-manage' }), state, form, below));
  if (held) document.getElementById(held)?.focus();
  if (labse.wantsModel) { labse.wantsModel = false; input.scrollIntoView({ block: 'center' }); input.focus(); }
};
watch('value', draw);
draw();
if (labse.modelsOff) labse.modelsOff();
const seen = () => { if (root.offsetParent && props.value?.collection) trigger('shown'); };
const onStatus = event => { if (event.detail.collection !== props.value?.collection) { candidate = null; seen(); } };
const onFeed = event => { if (event.detail.works || event.detail.jobs) seen(); };
window.addEventListener('labse-status', onStatus);
window.addEventListener('labse-feed', onFeed);
labse.modelsOff = () => { window.removeEventListener('labse-status', onStatus); window.removeEventListener('labse-feed', onFeed); };
