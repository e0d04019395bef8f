if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers headwater-gateway.conf
elif ! getent passwd headwater-gateway >/dev/null; then
	useradd --system --user-group --home-dir /var/lib/headwater-gateway --shell /usr/sbin/nologin headwater-gateway
fi
