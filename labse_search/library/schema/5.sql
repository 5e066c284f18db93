-- Version 5: the folders that a running app keeps a collection in step with.
CREATE TABLE watches (
  collection TEXT NOT NULL, folder TEXT NOT NULL, since REAL NOT NULL, PRIMARY KEY (collection, folder)
) WITHOUT ROWID;
