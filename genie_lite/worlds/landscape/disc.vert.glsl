// Sun, moon and the moon's dark side: three discs of SIDES triangles each.
out vec3 v_colour;
const int SIDES = 14;

void main() {
    int body = gl_VertexID / (3 * SIDES);
    int side = gl_VertexID / 3 % SIDES;
    vec3 dir = body == 0 ? u_sun_dir : u_moon_dir;
    vec3 east = normalize(vec3(-dir.y, dir.x, 0.0001));
    vec3 up = cross(dir, east);
    float angle = 6.2832 / float(SIDES) * float(side + gl_VertexID % 3 - 1);
    float radius = gl_VertexID % 3 == 0 ? 0.0 : body == 0 ? 0.062 : body == 1 ? 0.05 : 0.044;
    vec3 shift = body == 2 ? 0.022 * east + 0.014 * up : vec3(0.0);
    vec3 at = dir + shift + radius * (cos(angle) * east + sin(angle) * up);
    gl_Position = (u_camera * vec4(at, 0.0)).xyww;
    vec3 behind = sky_colour(dir);
    float risen = smoothstep(-0.04, 0.02, dir.z) * u_clear;
    vec3 sun = mix(vec3(1.0, 0.97, 0.86), u_glow, 0.3) * 1.06;
    v_colour = body == 0 ? mix(behind, sun, risen) : mix(behind, vec3(0.93, 0.95, 1.0), body == 1 ? u_night * risen : 0.0);
}
