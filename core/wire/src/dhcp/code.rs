//! Option codes, as IANA has them, of what the appliance reads or writes by itself.

/// One octet that stands for nothing.
pub const PAD: u8 = 0;
/// Subnet mask.
pub const SUBNET_MASK: u8 = 1;
/// Offset from UTC, in seconds.
pub const TIME_OFFSET: u8 = 2;
/// Routers, the preferred first.
pub const ROUTERS: u8 = 3;
/// Name servers.
pub const DNS_SERVERS: u8 = 6;
/// Log servers.
pub const LOG_SERVERS: u8 = 7;
/// Host name.
pub const HOST_NAME: u8 = 12;
/// Size of the boot file in blocks of 512 octets.
pub const BOOT_FILE_SIZE: u8 = 13;
/// Domain name.
pub const DOMAIN_NAME: u8 = 15;
/// Path of the root disk.
pub const ROOT_PATH: u8 = 17;
/// MTU of the interface.
pub const INTERFACE_MTU: u8 = 26;
/// Broadcast address.
pub const BROADCAST_ADDRESS: u8 = 28;
/// Classful static routes.
pub const STATIC_ROUTES: u8 = 33;
/// Time servers.
pub const NTP_SERVERS: u8 = 42;
/// Vendor-specific information.
pub const VENDOR_SPECIFIC: u8 = 43;
/// `NetBIOS` name servers.
pub const NETBIOS_NAME_SERVERS: u8 = 44;
/// `NetBIOS` node type.
pub const NETBIOS_NODE_TYPE: u8 = 46;
/// Address that the client asks for.
pub const REQUESTED_ADDRESS: u8 = 50;
/// Lease time in seconds.
pub const LEASE_TIME: u8 = 51;
/// Which of `file` and `sname` hold options.
pub const OVERLOAD: u8 = 52;
/// Message type.
pub const MESSAGE_TYPE: u8 = 53;
/// The server that sends, or is meant.
pub const SERVER_ID: u8 = 54;
/// Codes that the client asks for.
pub const PARAMETER_REQUEST_LIST: u8 = 55;
/// Text that goes with a NAK or a DECLINE.
pub const MESSAGE: u8 = 56;
/// Longest datagram that the client takes.
pub const MAX_MESSAGE_SIZE: u8 = 57;
/// T1 in seconds.
pub const RENEWAL_TIME: u8 = 58;
/// T2 in seconds.
pub const REBINDING_TIME: u8 = 59;
/// Vendor class identifier.
pub const VENDOR_CLASS: u8 = 60;
/// Client identifier.
pub const CLIENT_ID: u8 = 61;
/// Name of the TFTP server, where `sname` holds options.
pub const TFTP_SERVER_NAME: u8 = 66;
/// Name of the boot file, where `file` holds options.
pub const BOOT_FILE_NAME: u8 = 67;
/// User class, RFC 3004.
pub const USER_CLASS: u8 = 77;
/// Rapid commit, RFC 4039.
pub const RAPID_COMMIT: u8 = 80;
/// Client FQDN, RFC 4702.
pub const CLIENT_FQDN: u8 = 81;
/// Relay agent information, RFC 3046.
pub const AGENT_INFO: u8 = 82;
/// Authentication, RFC 3118.
pub const AUTHENTICATION: u8 = 90;
/// Seconds since the client was last heard, RFC 4388.
pub const CLIENT_LAST_TRANSACTION_TIME: u8 = 91;
/// Other addresses of the client, RFC 4388.
pub const ASSOCIATED_IP: u8 = 92;
/// System architecture, RFC 4578.
pub const CLIENT_ARCHITECTURE: u8 = 93;
/// Network interface of a PXE client, RFC 4578.
pub const CLIENT_NDI: u8 = 94;
/// UUID of a PXE client, RFC 4578.
pub const CLIENT_MACHINE_ID: u8 = 97;
/// IPv6-only preferred, RFC 8925.
pub const IPV6_ONLY_PREFERRED: u8 = 108;
/// Captive portal, RFC 8910.
pub const CAPTIVE_PORTAL: u8 = 114;
/// Link-local configuration, RFC 2563.
pub const AUTO_CONFIGURE: u8 = 116;
/// Subnet selection, RFC 3011.
pub const SUBNET_SELECTION: u8 = 118;
/// Domain search list, RFC 3397.
pub const DOMAIN_SEARCH: u8 = 119;
/// Classless static routes, RFC 3442.
pub const CLASSLESS_ROUTES: u8 = 121;
/// Vendor-identifying vendor class, RFC 3925.
pub const VENDOR_IDENTIFYING_CLASS: u8 = 124;
/// Vendor-identifying vendor-specific information, RFC 3925.
pub const VENDOR_IDENTIFYING: u8 = 125;
/// Addresses of TFTP servers, RFC 5859.
pub const TFTP_SERVER_ADDRESSES: u8 = 150;
/// Status code, RFC 6926.
pub const STATUS_CODE: u8 = 151;
/// Time base, RFC 6926.
pub const BASE_TIME: u8 = 152;
/// Start time of the binding's state, RFC 6926.
pub const START_TIME_OF_STATE: u8 = 153;
/// Start of a query's time, RFC 6926.
pub const QUERY_START_TIME: u8 = 154;
/// End of a query's time, RFC 6926.
pub const QUERY_END_TIME: u8 = 155;
/// State of the binding, RFC 6926.
pub const DHCP_STATE: u8 = 156;
/// Source of the data, RFC 6926.
pub const DATA_SOURCE: u8 = 157;
/// What iPXE and Etherboot encapsulate.
pub const ETHERBOOT: u8 = 175;
/// Classless static routes as Windows before Vista asked for them.
pub const CLASSLESS_ROUTES_MICROSOFT: u8 = 249;
/// Web proxy auto-discovery.
pub const WPAD: u8 = 252;
/// End of the options in a field.
pub const END: u8 = 255;
