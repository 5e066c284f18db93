-- What people say about pairs and answers. Texts stand here, as they were when judged: documents may go, verdicts stay.
CREATE TABLE pairs (
  id INTEGER PRIMARY KEY, collection TEXT NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL,
  source_language TEXT NOT NULL, target_language TEXT NOT NULL, score REAL NOT NULL, verdict TEXT NOT NULL DEFAULT '',
  added REAL NOT NULL, UNIQUE (collection, source, target)
);
CREATE TABLE verdicts (
  id INTEGER PRIMARY KEY AUTOINCREMENT, pair INTEGER NOT NULL REFERENCES pairs (id) ON DELETE CASCADE,
  before TEXT NOT NULL, verdict TEXT NOT NULL, given REAL NOT NULL
);
CREATE TABLE questions (
  id TEXT NOT NULL, collection TEXT NOT NULL, text TEXT NOT NULL, asked REAL NOT NULL, PRIMARY KEY (collection, id)
);
CREATE TABLE judgements (
  collection TEXT NOT NULL, question TEXT NOT NULL, passage TEXT NOT NULL, text TEXT NOT NULL, answers INTEGER NOT NULL,
  given REAL NOT NULL, PRIMARY KEY (collection, question, passage)
) WITHOUT ROWID;
