#!/usr/bin/env bash
# Copies a static export to a bucket: deploy/static/s3.sh SITE REMOTE:BUCKET (needs rclone and jq).
#
# In a bucket an address is a key, and its media type stands beside it: v1/datasets and v1/datasets/exports are two keys,
# and neither has an ending. So documents (index.json) get the keys of their addresses, and every key its media type
# from _addresses.json. What did not change is not sent again; the timestamp, which decides for mirrors, is sent last.
set -euo pipefail
site=$1 target=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
send() { rclone --checksum --header-upload "Content-Type: $1" "${@:2}"; }
document='test("(^|/)index\\.(json|html|jsonl|linkset)$")'

# Files under their own names, one run for each media type.
jq -r ".addresses[] | select((.file == \"index.html\") or (.file | $document | not)) | [.media_type, .file] | @tsv" \
  "$site/_addresses.json" | grep -v $'\ttuf/timestamp.json$' >"$work/files"
cut -f1 "$work/files" | sort -u | while IFS= read -r type; do
  awk -F'\t' -v type="$type" '$1 == type { print $2 }' "$work/files" >"$work/named"
  send "$type" copy --files-from-raw "$work/named" "$site" "$target"
done
send 'text/html; charset=utf-8' copyto "$site/404.html" "$target/404.html"
send 'text/html; charset=utf-8' copyto "$site/_contents.html" "$target/_contents.html"
send application/json copyto "$site/_addresses.json" "$target/_addresses.json"
send 'text/html; charset=utf-8' copyto "$site/docs/index.html" "$target/docs/index.html"

# Documents: those below which nothing stands in one run, the others one by one.
jq -r ".addresses[] | select(.file | $document) | [.media_type, .file] | @tsv" "$site/_addresses.json" |
  awk -F'\t' '{ print gsub("/", "/", $2) "\t" $1 "\t" $2 }' OFS='\t' | sort -rn | cut -f2- >"$work/documents"
while IFS=$'\t' read -r type file; do
  key=${file%/index.*}
  [ "$key" != "$file" ] || continue
  folder=$(dirname "$work/tree/$key")
  if [ "$type" = application/json ] && [ ! -e "$work/tree/$key" ] && mkdir -p "$folder" 2>/dev/null; then
    cp -l "$site/$file" "$work/tree/$key" 2>/dev/null || cp "$site/$file" "$work/tree/$key"
  else
    send "$type" copyto "$site/$file" "$target/$key"
  fi
done <"$work/documents"
send application/json copy "$work/tree" "$target"
send application/json copyto "$site/tuf/timestamp.json" "$target/tuf/timestamp.json"
