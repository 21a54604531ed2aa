CREATE TABLE catalogue_items (
  sku text COLLATE "C" PRIMARY KEY,
  name text NOT NULL,
  price_cents integer NOT NULL CHECK (price_cents >= 0)
);
INSERT INTO catalogue_items VALUES
  ('engine-1', 'Analytical Engine', 1700000),
  ('notes-g', 'Notes on the Engine, note G', 1843);
INSERT INTO catalogue_items
  SELECT 'cards-' || lpad(n::text, 4, '0'), 'Punched cards, ' || n, n * 25 / 10 FROM generate_series(10, 1000, 10) AS n;
