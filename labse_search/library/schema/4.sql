-- Version 4: generations. What each document has in the serving one is said in `documents`, in the others here.
CREATE TABLE generations (
  collection TEXT NOT NULL, number INTEGER NOT NULL, model TEXT NOT NULL, fingerprint TEXT NOT NULL, state TEXT NOT NULL,
  job TEXT NOT NULL DEFAULT '', created REAL NOT NULL, served REAL, PRIMARY KEY (collection, number)
) WITHOUT ROWID;
CREATE TABLE generation_documents (
  collection TEXT NOT NULL, number INTEGER NOT NULL, document TEXT NOT NULL, embedded INTEGER NOT NULL,
  skipped TEXT NOT NULL, segments INTEGER NOT NULL, languages TEXT NOT NULL, digest TEXT NOT NULL,
  version INTEGER NOT NULL, PRIMARY KEY (collection, number, document)
) WITHOUT ROWID;
