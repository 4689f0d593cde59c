-- Accounts, their refresh tokens, and the counters of failed logins.
-- Names are qualified: nothing here depends on a search path. Ids are made by the application (UUIDv7).

create table users.users (
  id uuid primary key,
  -- Stored in lower case, so that the plain unique constraint is case-insensitive.
  username text not null check (username = lower(username)),
  -- Stored as written (mail goes there); unique in lower case by the index below.
  email text not null,
  password_hash text not null,
  role text not null check (role in ('BUYER', 'SELLER', 'ADMIN')),
  display_name text,
  shipping_address text,
  store_name text,
  version integer not null default 1,
  created_at timestamptz(3) not null default current_timestamp,
  updated_at timestamptz(3) not null default current_timestamp,
  constraint users_username_key unique (username)
);
create unique index users_email_key on users.users (lower(email));

create table users.refresh_tokens (
  -- SHA-256 of the token: whoever reads this table cannot log in with it.
  token_hash bytea primary key,
  -- All tokens descending from one login; a used token shown again revokes its whole family.
  family_id uuid not null,
  user_id uuid not null references users.users (id) on delete cascade,
  created_at timestamptz(3) not null default current_timestamp,
  expires_at timestamptz(3) not null,
  used_at timestamptz(3)
);
create index refresh_tokens_family_id_idx on users.refresh_tokens (family_id);
create index refresh_tokens_user_id_idx on users.refresh_tokens (user_id);
create index refresh_tokens_expires_at_idx on users.refresh_tokens (expires_at);

-- The layout of rate-limiter-flexible's Postgres store (expire is in milliseconds since 1970).
create table users.login_failures (
  key varchar(255) primary key,
  points integer not null default 0,
  expire bigint
);
create index login_failures_expire_idx on users.login_failures (expire);

-- The service has rights on data only, so that it cannot change the rules above.
grant usage on schema users to shop_users;
grant select, insert, update, delete on users.users, users.refresh_tokens, users.login_failures to shop_users;
-- /readyz compares the applied migrations with those on disk.
grant select on users._prisma_migrations to shop_users;
