// @ts-check
// The indexing jobs: rows are updated in place, so that an open list of problems stays open.
// Event to Python: 'request' {job, action} with action "pause", "cancel" or "" to go on.
const { el, t, button, duration, number } = labse;
const root = element.querySelector('.jobs');
const rows = new Map();
let value = props.value;

const make = job => {
  const row = el('section', 'job', null, { 'data-job': job.id });
  const part = {
    row, state: el('span', 'job-state'), counts: el('span', 'counts'), bar: el('progress'), current: el('bdi', 'current'),
    speed: el('span', 'speed'), buttons: el('div', 'buttons'), outcome: el('p', 'outcome'), error: el('p', 'wrong'), problems: el('details', 'problems'), last: '',
  };
  part.bar.setAttribute('aria-label', t('tab_add'));
  row.append(el('header', null, null, {}, part.state, part.counts, part.buttons), part.bar,
    el('p', 'doing', null, {}, part.current, part.speed), part.outcome, part.error, part.problems);
  return part;
};
const actions = (part, job) => {
  const action = (key, wanted) => button(`link ${key}`, t(key), event => { labse.hold(event.target); trigger('request', { job: job.id, action: wanted }); });
  const open = ['queued', 'running', 'paused'].includes(job.state) && job.requested !== 'cancel';
  const paused = job.state === 'paused' || job.requested === 'pause';
  if (job.state === 'failed') { part.buttons.replaceChildren(action('retry', ''), action('cancel', 'cancel')); return; }
  part.buttons.replaceChildren(...(open ? [paused ? action('resume', '') : action('pause', 'pause'), action('cancel', 'cancel')] : []));
};
const problems = (part, job) => {
  if (!job.problems.length) { part.problems.hidden = true; return; }
  const list = el('ul');
  for (const one of job.problems) list.append(el('li', null, null, {}, el('bdi', 'name', one.name), el('span', 'reason', one.reason), one.detail ? el('bdi', 'detail', one.detail) : null));
  if (job.problem_count > job.problems.length) list.append(el('li', null, t('and_more', { n: job.problem_count - job.problems.length })));
  part.problems.hidden = false;
  part.problems.replaceChildren(el('summary', null, t('problems', { n: job.problem_count })), list);
};
const update = (part, job) => {
  const now = JSON.stringify(job);
  if (now === part.last) return;
  const before = part.last ? JSON.parse(part.last) : {};
  part.last = now;
  const finished = ['done', 'cancelled', 'failed'].includes(job.state);
  const state = finished || !job.requested || (job.requested === 'pause' && job.state === 'paused') ? job.state : job.requested === 'pause' ? 'pausing' : 'cancelling';
  part.row.dataset.state = job.state;
  part.state.textContent = t(job.kind === 'reembed' && state === 'running' ? 'model_embedding' : `job_${state}`);
  part.counts.textContent = finished ? t('summary', { files: t('files', { n: job.files }), passages: t('passages', { n: job.segments }) })
    : `${number(job.files_done)} / ${t('files', { n: job.files })} · ${t('passages', { n: job.segments })}`;
  part.bar.max = Math.max(job.files, 1);
  part.bar.value = job.files_done;
  part.bar.hidden = finished;
  part.current.textContent = finished ? '' : job.current;
  part.speed.textContent = finished || job.state !== 'running' ? '' : [job.rate ? t('rate', { n: Math.round(job.rate) }) : '',
    job.seconds_left != null ? t('time_left', { time: duration(job.seconds_left) }) : ''].filter(Boolean).join(' · ');
  part.outcome.textContent = finished ? job.outcomes.map(([key, n]) => t(`outcome_${key}`, { n })).join(' · ') : '';
  part.error.textContent = job.error || '';
  if (before.state !== job.state || before.requested !== job.requested) actions(part, job);
  if (JSON.stringify(before.problems) !== JSON.stringify(job.problems)) problems(part, job);
};
const draw = () => {
  const list = value?.jobs;
  if (!list) return;
  if (!list.length) { rows.clear(); root.replaceChildren(el('p', 'empty', t('no_jobs'))); return; }
  const parts = list.map(job => {
    if (!rows.has(job.id)) rows.set(job.id, make(job));
    const part = rows.get(job.id);
    update(part, job);
    return part.row;
  });
  const same = root.children.length === parts.length + 1 && parts.every((row, i) => root.children[i + 1] === row);
  if (!same) root.replaceChildren(el('h2', null, t('jobs')), ...parts);
};
watch('value', () => { value = props.value; labse.release(root); draw(); });
draw();
if (labse.jobsOff) labse.jobsOff();
const onFeed = event => { if (event.detail.jobs && event.detail.jobs.collection === value?.collection) { value = event.detail.jobs; draw(); } };
window.addEventListener('labse-feed', onFeed);
labse.jobsOff = () => window.removeEventListener('labse-feed', onFeed);
