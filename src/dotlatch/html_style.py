"""The style sheet of the pages, one address of its own that browsers keep. Needs no other file."""

STYLE = b'''\
:root{color-scheme:light dark;--page:#f4f5f7;--card:#fff;--text:#1b1f24;--soft:#5c6570;--line:#d9dee4;--main:#0b6b57;
--on:#fff;--bad:#a3261b}
@media(prefers-color-scheme:dark){:root{--page:#14171a;--card:#1e2327;--text:#e8ebee;--soft:#9aa5b1;--line:#353c43;
--main:#4cc3a5;--on:#08251e;--bad:#ff9a8f}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--text);font:17px/1.5 system-ui,sans-serif}
main{max-width:34rem;margin:0 auto;padding:2rem 1rem}h1{font-size:1.5rem;margin:0 0 1rem}h2{font-size:1.15rem}
form,.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:1.25rem;margin:0 0 1rem}
.card form,.list{border:0;padding:0;margin:0;background:none}form p,.card p{margin:0 0 .6rem;overflow-wrap:anywhere}
form p:last-child,.card p:last-child,main>.soft{margin:0}
label{display:block;margin:0 0 .9rem;font-weight:600}.check{display:flex;gap:.6rem;font-weight:400}
.check input{flex:none;width:1.4rem;height:1.4rem;margin:0}
summary,details{margin:0 0 .9rem}select,input:not([type=checkbox]){display:block;width:100%;margin-top:.25rem;
padding:.65rem .75rem;font:inherit;color:inherit;background:var(--page);border:1px solid var(--soft);border-radius:8px}
button{width:100%;padding:.7rem;font:inherit;font-weight:600;color:var(--on);background:var(--main);border:0;
border-radius:8px;cursor:pointer}.quiet{background:none;color:var(--text);border:1px solid var(--soft)}
:focus-visible{outline:3px solid var(--main);outline-offset:2px}a{color:var(--main)}
.row{display:flex;gap:1rem;align-items:center;justify-content:space-between}.row>button{width:auto}.row>p{margin:0}
.row>*+*{flex:none}.row>*+div{display:grid;gap:.5rem}
[hidden]{display:none!important}.problem,.note{margin:0 0 1rem;background:var(--card);border:1px solid var(--main);
border-radius:8px;padding:.7rem 1rem}.problem{border-color:var(--bad);color:var(--bad)}.soft{color:var(--soft)}
img{max-width:100%;background:#fff}code{font-size:1.1rem;overflow-wrap:anywhere}
'''
