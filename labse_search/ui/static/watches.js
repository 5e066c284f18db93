// @ts-check
// The folders that the collection is kept in step with, what was seen in them, and what is about to leave.
// Events to Python: 'stop' {folder}, 'keep' {folder, names}, 'remove_now' {folder, names}; no names: all of them.
const { el, t, button, duration } = labse;
const root = element.querySelector('.watches');
let value = props.value, drawn = '';

const act = (key, event, data, about) => button(`link ${key}`, t(key), click => { labse.hold(click.target); trigger(event, data); }, { 'aria-label': `${t(key)}: ${about}` });
const time = seconds => new Date(seconds * 1000).toLocaleTimeString(labse.locale, { timeStyle: 'short' });
const leaving = one => {
  const box = el('section', 'notice weak leaving');
  const all = { folder: one.folder, names: [] };
  box.append(el('p', null, one.held ? t('watch_held', { n: one.held }) : t('watch_leaving', { n: one.leaving })));
  const list = el('ul', 'plan-notes');
  for (const { name, seconds } of one.pending) list.append(el('li', null, null, {}, el('bdi', 'name', name), ' ',
    el('span', 'subdued', seconds == null ? '' : t('watch_leaves', { time: duration(seconds) })), ' ',
    act('watch_keep', 'keep', { folder: one.folder, names: [name] }, name)));
  if (one.leaving > one.pending.length) list.append(el('li', null, t('and_more', { n: one.leaving - one.pending.length })));
  box.append(list, el('div', 'buttons', null, {}, act('watch_keep_all', 'keep', all, one.folder), act('watch_remove_now', 'remove_now', all, one.folder)));
  return box;
};
const news = one => {
  const list = el('ul', 'news');
  for (const line of one.news) list.append(el('li', null, null, {}, el('span', 'subdued', time(line.at)), ' ', el('span', null, t(`watch_news_${line.what}`, { n: line.n })), ' ',
    el('bdi', 'names', line.names.join(', ') + (line.n > line.names.length ? ' …' : ''))));
  return one.news.length ? el('details', 'problems', null, {}, el('summary', null, t('watch_news')), list) : null;
};
const row = one => {
  const node = el('section', 'job watched', null, { 'data-folder': one.folder, 'data-state': one.state });
  node.append(el('header', null, null, {}, el('span', 'job-state', t(`watch_${one.state}`)), el('bdi', 'counts', one.folder),
    el('div', 'buttons', null, {}, act('watch_stop', 'stop', { folder: one.folder }, one.folder))));
  if (one.news.length) node.append(el('p', 'latest', null, { role: 'status' }, `${time(one.news[0].at)} `, t(`watch_news_${one.news[0].what}`, { n: one.news[0].n })));
  if (one.leaving) node.append(leaving(one));
  node.append(...[news(one)].filter(Boolean));
  return node;
};
const draw = () => {
  const now = JSON.stringify({ ...value, nonce: 0 });
  if (!value?.folders || now === drawn) return;
  drawn = now;
  const open = new Set([...root.querySelectorAll('.watched:has(details[open])')].map(node => node.dataset.folder));
  const rows = value.folders.map(row);
  root.hidden = !rows.length && !value.message;
  root.replaceChildren(...(rows.length ? [el('h2', null, t('watch_title'))] : []), ...(value.message ? [el('p', 'notice error', value.message, { role: 'alert' })] : []), ...rows);
  for (const node of rows) if (open.has(node.dataset.folder)) node.querySelector('details')?.setAttribute('open', '');
};
watch('value', () => { value = props.value; labse.release(root); draw(); });
draw();
if (labse.watchesOff) labse.watchesOff();
const onFeed = event => { if (event.detail.watches && event.detail.collection === value?.collection) { value = event.detail.watches; draw(); } };
window.addEventListener('labse-feed', onFeed);
labse.watchesOff = () => window.removeEventListener('labse-feed', onFeed);
