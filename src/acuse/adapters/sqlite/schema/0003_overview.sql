-- What people look at. Times are microseconds since 1970 in UTC.

-- The requests by action and status, in the order in which they were created.
CREATE INDEX record_listed ON record (action, status, created_at) WHERE part = 0;

-- What came to pass in the ten seconds from `at` on: how many requests of the action came to the status.
CREATE TABLE tally (
    at            INTEGER NOT NULL,
    action        TEXT    NOT NULL,
    status        TEXT    NOT NULL,
    bound         INTEGER NOT NULL,         -- of those that ended, how long it took: the place among BOUNDS
    count         INTEGER NOT NULL,
    PRIMARY KEY (at, action, status, bound)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER record_accepted AFTER INSERT ON record WHEN NEW.part = 0 BEGIN
    INSERT INTO tally VALUES (NEW.created_at - NEW.created_at % 10000000, NEW.action, 'accepted', 0, 1)
    ON CONFLICT DO UPDATE SET count = count + 1;
END;
