-- Version 3: when a process noticed that the ledger's files were no longer those that it had opened.
CREATE TABLE replacements (noticed REAL NOT NULL);
