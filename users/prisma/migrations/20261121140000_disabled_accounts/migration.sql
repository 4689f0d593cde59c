-- Accounts can be disabled, and an admin lists them.

alter table users.users
  add column status text not null default 'ACTIVE' check (status in ('ACTIVE', 'DISABLED'));

-- The admin's lists, newest first: of one role, and of what is disabled, which is little.
create index users_role_idx on users.users (role, id desc);
create index users_disabled_idx on users.users (id desc) where status = 'DISABLED';
-- By code point, whatever the database's locale: names with one beginning lie together there.
create index users_username_prefix_idx on users.users (username collate "C");
