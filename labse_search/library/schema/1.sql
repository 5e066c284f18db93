-- Version 1: what every document must have in the store, and what is being done. Ledgers of before versions were
-- counted have these tables already.
CREATE TABLE IF NOT EXISTS collections (
  collection TEXT PRIMARY KEY, model TEXT NOT NULL, fingerprint TEXT NOT NULL, store TEXT NOT NULL, created REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS documents (
  collection TEXT NOT NULL, document TEXT NOT NULL, kind TEXT NOT NULL, title TEXT NOT NULL, bytes INTEGER NOT NULL,
  characters INTEGER NOT NULL, embedded INTEGER NOT NULL, skipped TEXT NOT NULL, segments INTEGER NOT NULL,
  languages TEXT NOT NULL, encoding TEXT NOT NULL, notes TEXT NOT NULL, digest TEXT NOT NULL, state TEXT NOT NULL,
  version INTEGER NOT NULL, job TEXT NOT NULL, added REAL NOT NULL, removed REAL, PRIMARY KEY (collection, document)
);
CREATE TABLE IF NOT EXISTS names (
  collection TEXT NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL, PRIMARY KEY (collection, name)
);
CREATE INDEX IF NOT EXISTS names_by_document ON names (collection, document);
CREATE INDEX IF NOT EXISTS names_by_path ON names (collection, path);
CREATE TABLE IF NOT EXISTS jobs (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, collection TEXT NOT NULL, model TEXT NOT NULL, state TEXT NOT NULL,
  wish TEXT NOT NULL DEFAULT '', segments INTEGER NOT NULL DEFAULT 0, rate REAL NOT NULL DEFAULT 0,
  seconds_left REAL, current TEXT NOT NULL DEFAULT '', error TEXT NOT NULL DEFAULT '', created REAL NOT NULL,
  started REAL, finished REAL
);
CREATE TABLE IF NOT EXISTS job_files (
  job TEXT NOT NULL, position INTEGER NOT NULL, path TEXT NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL,
  kept INTEGER NOT NULL, outcome TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '',
  detail TEXT NOT NULL DEFAULT '', document TEXT NOT NULL DEFAULT '', segments INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (job, position)
) WITHOUT ROWID;
-- Documents whose names changed here and not yet in the store: what a kill in between leaves to be done.
CREATE TABLE IF NOT EXISTS unsettled (
  collection TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (collection, document)
) WITHOUT ROWID;
-- How often a job was started since it last got on (`done`: files and segments), to give up one that kills its process.
CREATE TABLE IF NOT EXISTS starts (job TEXT PRIMARY KEY, starts INTEGER NOT NULL, done INTEGER NOT NULL) WITHOUT ROWID;
