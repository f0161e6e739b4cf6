"""The pages of an account, for pages.py: first the heading, then the page. Needs no other file."""

account = b'''Your account
<div class="card"><p>You are logged in as <b>{user}</b>.</p>
{#password_url}<p><a href="{password_url}">Change password</a></p>
{/}{#second_url}<p><a href="{second_url}">Second factor</a>: {#second}on{/}{^second}off{/}</p>
{/}<form method="post" action="{logout_url}">{csrf}
<button class="quiet">Log out</button></form></div>
{#end_url}<form class="list" method="post" action="{end_url}">{csrf}
{#listed}<h2>Logged in</h2>
{/}{#sessions}<div class="card row"><p id="s{id}"><b>{client}</b>{#here}. This browser{/}<br>From {source}.
Began {began}, used {used}.</p>
{^here}<button class="quiet" name="end" value="{id}" aria-describedby="s{id}">End</button>
{/}</div>
{/}{#devices}<div class="card row"><p id="s{id}"><b>{client}</b>, remembered{#here} here{/}<br>From {source}.
Began {began}, used {used}.</p>
<button class="quiet" name="end" value="{id}" aria-describedby="s{id}">Forget</button></div>
{/}{#more}<p class="soft">And {more} more.</p>
{/}<button class="quiet" name="end" value="others">Log out everywhere else</button></form>
{/}<p><a href="{home}">Back</a></p>
'''

password = b'''Change password
<form method="post">{csrf}
<input value="{user}" autocomplete="username" readonly hidden>
<label>Current password <input name="current" type="password" autocomplete="current-password" required autofocus>
</label>
<label>New password <input name="new" type="password" autocomplete="new-password" minlength="{min_length}" required
aria-describedby="hint"></label>
<label>New password again <input name="again" type="password" autocomplete="new-password" minlength="{min_length}"
required></label>
<p id="hint" class="soft">At least {min_length} characters: four or five words that you pick at random, say. Changing it
logs out every other browser.</p>
<button>Change password</button>
</form>
<p><a href="{account_url}">Back</a></p>
'''

second = b'''Second factor
{#clock}<p class="problem" role="alert">This device does not know what time it is, so it cannot check codes.</p>
{/}<div class="card"><p>A code from an app on your phone, beside the password. Add this to the app:</p>
{#qr}<p><img src="{qr}" alt="QR code of the key below"></p>
{/}<p><a href="{uri}">Open it in the app</a> on the phone, or type in the key:</p>
<p><code>{key}</code></p></div>
<form method="post">{csrf}
<label>Code that the app shows <input name="code" inputmode="numeric" autocomplete="one-time-code" required></label>
<p class="soft">It logs out every other browser.</p>
<button>Switch it on</button>
</form>
<p><a href="{account_url}">Back</a></p>
'''

second_on = b'''Second factor
<div class="card"><p>It is on. Recovery codes that are left: {left}</p>
<form method="post" action="{recovery_url}">{csrf}
<button>New recovery codes</button></form></div>
<form method="post" action="{remove_url}">{csrf}
<p>Without it, the password alone opens the account. It logs out every other browser.</p>
<button class="quiet">Switch it off</button></form>
<p><a href="{account_url}">Back</a></p>
'''

recovery = b'''Recovery codes
<div class="card"><p>Each of them logs you in once, when the phone is gone. They are shown this once: print them, or
write them down. Older ones are worth nothing now.</p>
<ul>{#codes}<li><code>{.}</code></li>
{/}</ul></div>
<p><a href="{account_url}">I have them</a></p>
'''
