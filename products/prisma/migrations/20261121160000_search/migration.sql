-- Search that ranks and forgives: names before descriptions, and misspelt words find what they resemble.

-- What is in the name, apart from the description.
create index products_search_name_idx on products.products using gin (ts_filter(search, '{a}'));

-- Within one seller or category the newest first, said as `(seller_id, id) < …`: nothing else is in that order.
drop index products.products_category_idx, products.products_seller_idx, products.products_seller_disabled_idx;
create index products_category_idx on products.products (category, id) where status = 'ACTIVE';
create index products_seller_idx on products.products (seller_id, id);
create index products_seller_disabled_idx on products.products (seller_id, id) where status = 'DISABLED';

create function products.words_of(value text) returns text[]
  language sql immutable strict parallel safe
  return tsvector_to_array(to_tsvector('simple', products.plain_words(value)));

-- What finds a word of every group (of words set apart by spaces), or of any: `operator` is & or |. The words as they are, by their
-- beginnings if `mark` is '*', and only in the name if it is 'A' or '*A'. Null, which finds nothing, when there is no group.
create function products.search_query(groups text[], mark text, operator text) returns tsquery
  language sql immutable strict parallel safe
  return (
    select string_agg('(' || (
      select string_agg('''' || word || ''':' || mark, '|') from string_to_table(words, ' ') word
    ) || ')', operator)
      from unnest(groups) words
  )::tsquery;
drop function products.prefix_query;

-- The groups that an index is asked for: a single letter begins too many words, unless there is nothing else.
create function products.telling(groups text[]) returns text[]
  language sql immutable strict parallel safe
  return coalesce(
    (select array_agg(words) from unnest(groups) words where octet_length(words) > 1), groups[1:3]);

-- What may be misspelt, or meant: shorter words resemble too many, and a number is never another one.
create function products.is_word(value text) returns boolean
  language sql immutable strict parallel safe
  return value ~ '^[^0-9]{3,40}$';

-- A word as it is, and with any one letter left out. Two words resemble each other when they have such a spelling in common: then a
-- letter was left out, added, replaced or moved. That goes for every script, whatever the database's locale.
create function products.spellings_of(word text) returns setof text
  language sql immutable strict parallel safe
begin atomic
  select word union select overlay(word placing '' from i for 1) from generate_series(1, length(word)) i;
end;

-- Of the words of all products there ever were. They are never taken away: words that no product has any more find nothing.
create table products.spellings (
  spelling text collate "C",
  word text collate "C",
  primary key (spelling, word)
);

-- The first hundred words of a text. Their own spellings come first and in order, so that two who add the same words neither lock
-- each other out nor do it twice.
create function products.remember_words() returns trigger language plpgsql as $$
begin
  with words as (
    select lexeme as word from unnest(new.search) where products.is_word(lexeme) order by positions[1] limit 100
  ), added as (
    insert into products.spellings (spelling, word) select word, word from words order by word on conflict do nothing
    returning word
  )
  insert into products.spellings (spelling, word)
  select spelling, word from added, products.spellings_of(word) spelling where spelling <> word;
  return null;
end $$;
create trigger remember_words after insert or update of name, description on products.products
  for each row execute function products.remember_words();
insert into products.spellings (spelling, word)
select spelling, word
  from (
    select distinct words.lexeme as word
      from products.products p,
           lateral (select lexeme from unnest(p.search) where products.is_word(lexeme) order by positions[1] limit 100) words
  ) words, products.spellings_of(word) spelling;

create function products.similar_words(misspelt text) returns setof text
  language sql stable strict parallel safe
begin atomic
  select distinct word from products.spellings
   where products.is_word(misspelt) and length(misspelt) > 3
     and spelling in (select products.spellings_of(misspelt)) and word <> misspelt
   order by word limit 20;
end;

-- Whether a word begins one of an active product's; as a rule that is seen among the newest ones.
create function products.is_known(word text) returns boolean
  language sql stable strict parallel safe
begin atomic
  with sought as materialized (select products.search_query(array[word], '*', '&') as query)
  select exists (
           select from (select p.search from products.products p where p.status = 'ACTIVE' order by p.id desc limit 500) p
            where p.search @@ query)
      or exists (select from products.products p where p.status = 'ACTIVE' and p.search @@ query)
    from sought;
end;

-- Groups of each word with those that it resembles. Words that are not known are the misspelt ones; when all are known, any may be.
create function products.similar_groups(words text[]) returns text[]
  language sql stable strict parallel safe
begin atomic
  with asked as materialized (
    select word, products.is_known(word) as known from unnest(words) word
  )
  select array_agg(case when known and exists (select from asked where not known) then word
                        else concat_ws(' ', word, (select string_agg(other, ' ') from products.similar_words(word) other)) end)
    from asked;
end;

revoke execute on function products.words_of, products.search_query, products.telling, products.is_word, products.spellings_of,
  products.remember_words, products.similar_words, products.is_known, products.similar_groups from public;
grant execute on function products.words_of, products.search_query, products.telling, products.is_word, products.spellings_of,
  products.similar_words, products.is_known, products.similar_groups to shop_products;
grant select, insert on products.spellings to shop_products;
