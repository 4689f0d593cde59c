-- Where a product's pictures are; whether they are there is not known here.
alter table products.products add column image_urls text[] not null default '{}'
  constraint products_image_urls_check check (cardinality(image_urls) <= 10 and array_position(image_urls, null) is null);
