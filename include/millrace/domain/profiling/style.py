"""The looks of the profile page: one sheet, light or dark as the reader's system is, no fonts or scripts to fetch."""

STYLE = """
:root { --ink: #16202b; --soft: #5b6b7c; --line: #dde4ea; --ground: #f5f7f9; --card: #fff; --accent: #c2562d;
  --other: #9fb4c7; --strong: #2f6690; --warn: #8a5a00; --warnback: #fff4dc; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9aa9b8; --line: #2c3845; --ground: #0f151b; --card: #18212b; --accent: #f08a5d;
    --other: #4b6378; --strong: #7fb3d9; --warn: #f2c879; --warnback: #33290f; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 28px; margin: 0 0 4px; } h2 { font-size: 19px; margin: 36px 0 12px; }
p { margin: 0 0 8px; } .soft, .soft a { color: var(--soft); } code { font: 13px ui-monospace, monospace; }
.split { display: flex; height: 30px; border-radius: 6px; overflow: hidden; margin: 16px 0 6px;
  background: var(--other); }
.split div { background: var(--accent); min-width: 3px; }
.key i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin: 0 5px 0 14px; }
.key i:first-child { margin-left: 0; }
ol { margin: 0; padding: 6px 16px 6px 36px; background: var(--warnback); border-radius: 10px; }
ol li { padding: 3px 0; } ol a { color: var(--warn); font-weight: 600; text-decoration: none; }
table { border-collapse: collapse; width: 100%; } td { padding: 3px 10px 3px 0; white-space: nowrap; }
td.wide { width: 100%; } td a { color: inherit; text-decoration: none; }
.bar { height: 12px; border-radius: 3px; background: var(--strong); min-width: 2px; }
.bar.leak { background: var(--accent); }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(340px, 1fr)); gap: 14px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; min-width: 0; }
.card h3 { margin: 0; font-size: 15px; overflow-wrap: anywhere; }
.card .facts { color: var(--soft); font-size: 13px; margin: 2px 0 8px; overflow-wrap: anywhere; }
.chip { float: right; font-size: 12px; color: var(--soft); border: 1px solid var(--line); border-radius: 9px;
  padding: 0 8px; margin-left: 8px; }
.chip.sensitive, .chip.excluded { color: var(--warn); border-color: var(--warn); }
.note { background: var(--warnback); color: var(--warn); border-radius: 6px; padding: 5px 9px; font-size: 13px;
  margin-top: 8px; overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: auto; }
svg .n { fill: var(--other); } svg .p { fill: var(--accent); } svg text { fill: var(--soft); font: 10px system-ui; }
svg .share { fill: none; stroke: var(--ink); stroke-width: 1.3; opacity: .75; } svg .base { stroke: var(--line); }
.level { display: grid; grid-template-columns: minmax(0, 34%) 1fr 112px; gap: 8px; font-size: 13px;
  align-items: center; }
.level span:first-child { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.level span:last-child { text-align: right; color: var(--soft); white-space: nowrap; }
.track { display: flex; height: 11px; border-radius: 3px; overflow: hidden; }
.track div:first-child { background: var(--accent); } .track div:last-child { background: var(--other); }
"""
