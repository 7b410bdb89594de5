# Our own build of the crate in the engine's wheel, which the wheel's answers are held against: docs/adr/0014.
# Prints a folder to import `regorus` from; the extension is a package, as it is in the wheel.
rust_binding() {
  local source=requirements/rust/regorus-binding folder
  folder="$cache/regorus-$( (cat "$source"/*.* "$source"/src/*; rustc --version) | sha256sum | cut -c1-16)"
  if [ ! -e "$folder/regorus" ]; then
    rm -rf "$folder"
    mkdir -p "$folder/new"
    cp -r "$source" "$folder/source"
    tools/crates-lock apply "$folder/source" >&2 || return
    (cd "$folder/source" && CARGO_TARGET_DIR="$cache/rust-target" nice cargo build --release --locked --quiet) >&2 || return
    cp "$cache/rust-target/release/libregorus_binding.so" "$folder/new/__init__.abi3.so"
    mv "$folder/new" "$folder/regorus"
  fi
  echo "$folder"
}
if command -v cargo >/dev/null; then
  PRATIQUE_REGORUS_BINDING=$(rust_binding)
  export PRATIQUE_REGORUS_BINDING
else
  echo "no cargo: the regorus wheel is not held against a build of our own"
fi
